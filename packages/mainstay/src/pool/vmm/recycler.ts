import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'

export interface RecyclerDependencies {
  readonly clock: Clock
  readonly logger: Logger
  readonly periodMs: number
  readonly target: { recycle(): Promise<void> }
}

/**
 * Clears away ended jobs once per period until it is stopped: sleep, recycle, and again.
 *
 * Source: vm-pool.md A9.
 */
export class Recycler {
  readonly #dependencies: RecyclerDependencies
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(dependencies: RecyclerDependencies) {
    this.#dependencies = dependencies
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Stops it and waits for its end. Safe to repeat. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, logger, periodMs, target } = this.#dependencies
    const { signal } = this.#stopping
    while (!signal.aborted) {
      // Ended early by the stop; it recycles once more then.
      await clock.sleep(periodMs, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      try {
        await target.recycle()
      } catch (error) {
        logger.error({ err: error }, `Clearing away ended jobs failed: ${errorMessage(error)}`)
      }
    }
  }
}
