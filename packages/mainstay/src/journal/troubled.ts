import type { Clock } from '../core/clock.ts'
import { errorMessage, isRetryable } from '../core/errors.ts'

/** A workflow that could be neither ended nor parked. */
export interface Trouble {
  /** How often in a row. */
  readonly times: number
  /** How often of these because of something that does not go away by itself. */
  readonly hopeless: number
  /** When it is claimed again, on the monotonic clock. */
  readonly until: number
  readonly message: string
}

/**
 * Workflows about which this engine could write nothing lately. Each is left alone for a while, twice as long every
 * time, so that one that cannot be written about does not keep the engine busy with running it again and again.
 */
export class Troubled {
  readonly #clock: Clock
  readonly #minDelayMs: number
  readonly #maxDelayMs: number
  readonly #byId = new Map<string, Trouble>()

  constructor(clock: Clock, { minDelayMs, maxDelayMs }: { minDelayMs: number; maxDelayMs: number }) {
    this.#clock = clock
    this.#minDelayMs = minDelayMs
    this.#maxDelayMs = maxDelayMs
  }

  add(id: string, error: unknown): Trouble {
    const { times = 0, hopeless = 0 } = this.#byId.get(id) ?? {}
    const delayMs = Math.min(this.#maxDelayMs, this.#minDelayMs * 2 ** times)
    const trouble = {
      times: times + 1,
      hopeless: hopeless + (isRetryable(error) ? 0 : 1),
      until: this.#clock.monotonic() + delayMs,
      message: errorMessage(error),
    }
    this.#byId.set(id, trouble)
    return trouble
  }

  of(id: string): Trouble | undefined {
    return this.#byId.get(id)
  }

  forget(id: string): void {
    this.#byId.delete(id)
  }

  /** Ids that are left alone at the moment. */
  resting(): string[] {
    const now = this.#clock.monotonic()
    const resting = []
    for (const [id, { until }] of this.#byId) {
      if (until > now) resting.push(id)
      // Another engine has it, or it would have been claimed again long ago.
      else if (now - until > 2 * this.#maxDelayMs) this.#byId.delete(id)
    }
    return resting
  }
}
