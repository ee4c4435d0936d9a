import type { Clock } from './clock.ts'
import { errorMessage } from './errors.ts'
import { withDeadline } from './deadline.ts'
import type { Logger } from './logging.ts'

/**
 * What has been started, so that it can be stopped in the opposite order. A part that fails to stop, or takes too
 * long, does not keep the others from stopping: its error is reported at the end.
 */
export class Lifecycle {
  readonly #parts: { name: string; stop: () => Promise<void> }[] = []
  readonly #clock: Clock
  readonly #logger: Logger

  constructor({ clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock
    this.#logger = logger
  }

  /** Remembers how to stop a part that has just been started. */
  started(name: string, stop: () => Promise<void>): void {
    this.#parts.push({ name, stop })
  }

  /**
   * Stops everything, last started first.
   *
   * @throws AggregateError with the errors of all parts that did not stop cleanly
   */
  async stop({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    const errors: Error[] = []
    const deadline = this.#clock.monotonic() + timeoutMs
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      const { name, stop } = part
      const remainingMs = Math.max(100, deadline - this.#clock.monotonic())
      try {
        await withDeadline({ clock: this.#clock, what: `Stopping ${name}`, timeoutMs: remainingMs }, stop)
      } catch (error) {
        this.#logger.error({ part: name, err: error }, `Stopping ${name} failed`)
        errors.push(new Error(`${name}: ${errorMessage(error)}`, { cause: error }))
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, errors.map((error) => error.message).join('; '))
  }
}
