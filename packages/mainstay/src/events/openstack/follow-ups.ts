import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'

/**
 * Work that follows an event which is already stored: done in order, one after the other, while nobody waits for it. What
 * does not fit is dropped and counted, because the event itself is safe.
 */
export class FollowUps {
  readonly #name: string
  readonly #limit: number
  readonly #logger: Logger
  readonly #onDropped: () => void
  #waiting = 0
  #last: Promise<void> = Promise.resolve()

  constructor(options: { name: string; limit?: number; logger: Logger; onDropped?: () => void }) {
    this.#name = options.name
    this.#limit = options.limit ?? 1000
    this.#logger = options.logger
    this.#onDropped = options.onDropped ?? (() => {})
  }

  add(work: () => Promise<void>): void {
    if (this.#waiting >= this.#limit) {
      this.#onDropped()
      this.#logger.warn(`${this.#name}: ${this.#limit} events wait already, one more was left out`)
      return
    }
    this.#waiting += 1
    this.#last = this.#after(this.#last, work)
  }

  /** Waits for all that was added so far. */
  async idle(): Promise<void> {
    await this.#last
  }

  async #after(earlier: Promise<void>, work: () => Promise<void>): Promise<void> {
    await earlier
    try {
      await work()
    } catch (error) {
      this.#logger.error({ err: error }, `${this.#name} failed: ${errorMessage(error)}`)
    } finally {
      this.#waiting -= 1
    }
  }
}
