import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { EventLog, LogExtent } from '../log.ts'
import type { Pages } from './pages.ts'
import { findPlace, type Placement } from './placement.ts'
import type { Since } from './since.ts'

export interface LogReaderDeps {
  readonly log: EventLog
  readonly pages: Pages
  readonly clock: Clock
  readonly logger: Logger
  readonly timeoutMs: number
  /** Aborted when the hub stops. */
  readonly signal: AbortSignal
}

/** Asks the log on behalf of subscribers; no answer is waited for longer than is allowed. */
export class LogReader {
  readonly #deps: LogReaderDeps

  constructor(deps: LogReaderDeps) {
    this.#deps = deps
  }

  /** Has the page of a place read. Settles with whether that worked. */
  async load(seq: number): Promise<boolean> {
    const { pages, logger } = this.#deps
    try {
      await this.#within(async (signal) => await pages.load(seq, signal))
      return true
    } catch (error) {
      logger.warn(`A page of the event log could not be read: ${errorMessage(error)}`)
      return false
    }
  }

  /** What the log holds, or undefined when it does not answer. */
  async extent(): Promise<LogExtent | undefined> {
    const { log, logger } = this.#deps
    try {
      return await this.#within(async () => await log.extent())
    } catch (error) {
      logger.warn(`A client waits for the event log: ${errorMessage(error)}`)
      return undefined
    }
  }

  /** @throws EventLogUnavailableError, TimeoutError */
  async place(since: Since, here: LogExtent): Promise<Placement> {
    return await this.#within(async () => await findPlace(since, here, this.#deps.log))
  }

  async #within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, timeoutMs, signal } = this.#deps
    return await withDeadline({ clock, what: 'Reading the event log', timeoutMs, signal }, work)
  }
}
