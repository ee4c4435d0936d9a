import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'

/** The most events that wait for their turn, and the most bytes that they may hold. */
const DEFAULT_LIMIT = 1000
const DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024

/**
 * Work that follows an event which is already stored: done in order, one after the other, while nobody waits for it. What
 * does not fit is dropped and counted, because the event itself is safe.
 */
export class FollowUps {
  readonly #name: string
  readonly #limit: number
  readonly #limitBytes: number
  readonly #logger: Logger
  readonly #onDropped: () => void
  #waiting = 0
  #waitingBytes = 0
  #last: Promise<void> = Promise.resolve()

  constructor(options: { name: string; limit?: number; limitBytes?: number; logger: Logger; onDropped?: () => void }) {
    this.#name = options.name
    this.#limit = options.limit ?? DEFAULT_LIMIT
    this.#limitBytes = options.limitBytes ?? DEFAULT_LIMIT_BYTES
    this.#logger = options.logger
    this.#onDropped = options.onDropped ?? (() => {})
  }

  /** @param bytes how much it keeps in memory */
  add(work: () => Promise<void>, bytes = 0): void {
    if (this.#waiting >= this.#limit || this.#waitingBytes + bytes > this.#limitBytes) {
      this.#onDropped()
      this.#logger.warn(`${this.#name}: ${this.#waiting} events wait already, one more was left out`)
      return
    }
    this.#waiting += 1
    this.#waitingBytes += bytes
    this.#last = this.#after(this.#last, work, bytes)
  }

  /** Waits for all that was added so far. */
  async idle(): Promise<void> {
    await this.#last
  }

  async #after(earlier: Promise<void>, work: () => Promise<void>, bytes: number): Promise<void> {
    await earlier
    try {
      await work()
    } catch (error) {
      this.#logger.error({ err: error }, `${this.#name} failed: ${errorMessage(error)}`)
    } finally {
      this.#waiting -= 1
      this.#waitingBytes -= bytes
    }
  }
}
