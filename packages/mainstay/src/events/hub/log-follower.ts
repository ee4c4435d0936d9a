import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { Random } from '../../core/random.ts'
import type { EventLog, LogExtent, TailNews, TailPosition } from '../log.ts'
import { reconnectDelayMs } from './reconnect-delay.ts'

export interface LogFollowerDeps {
  readonly log: Pick<EventLog, 'extent' | 'tail'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Who is told of what the log has. */
export interface LogListener {
  /** Where it stands; undefined before the first time, when it is told where the log is. */
  readonly position: TailPosition | undefined
  begin(extent: LogExtent): void
  take(news: TailNews): void
}

/** After so long without trouble, trouble counts as new. */
const HEALTHY_MS = 30_000

/**
 * Follows a log for as long as it takes: after every trouble it comes back to where the listener stands.
 *
 * Source: event-stream.md R8.
 */
export class LogFollower {
  readonly #deps: LogFollowerDeps
  #trouble: string | undefined = 'the event log has not been read yet'

  constructor(deps: LogFollowerDeps) {
    this.#deps = deps
  }

  /** Why the log is not followed at the moment, undefined while it is. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  async run(listener: LogListener, signal: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#deps
    let attempt = 0
    while (!signal.aborted) {
      const begun = clock.monotonic()
      this.#trouble = await this.#follow(listener, signal)
      if (signal.aborted) return
      if (clock.monotonic() - begun > HEALTHY_MS) attempt = 0
      logger.warn(`The event stream lost its log: ${this.#trouble}. It is looked for again.`)
      await clock.sleep(reconnectDelayMs(attempt, random), { signal })
      attempt += 1
    }
  }

  /** @returns why it ended */
  async #follow(listener: LogListener, signal: AbortSignal): Promise<string> {
    const { log } = this.#deps
    try {
      if (listener.position === undefined) listener.begin(await log.extent())
      this.#trouble = undefined
      for await (const news of log.tail(listener.position!, { signal })) listener.take(news)
      return 'it stopped telling'
    } catch (error) {
      return errorMessage(error)
    }
  }
}
