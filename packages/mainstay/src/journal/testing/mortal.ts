import type { Clock } from '../../core/clock.ts'
import type { Queries } from '../../store/index.ts'
import { TroubledStore } from './troubled-store.ts'

/** A clock that stops for one process: none of its timers ever wakes it again. */
export class MortalClock implements Clock {
  dead = false
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  after(delayMs: number, wake: () => void): Disposable {
    return this.#clock.after(delayMs, () => void (this.dead || wake()))
  }

  async sleep(delayMs: number, options?: { signal?: AbortSignal | undefined }): Promise<void> {
    await this.#clock.sleep(delayMs, options)
    if (this.dead) await forever()
  }
}

/** The store as a process sees it that may be killed: what it asks for then is never answered. */
export class MortalStore extends TroubledStore {
  dead = false

  override async write<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    if (this.dead) await forever()
    const result = await super.write(work)
    if (this.dead) await forever()
    return result
  }
}

/** What a dead process waits for. */
export async function forever(): Promise<never> {
  return await new Promise<never>(() => {})
}
