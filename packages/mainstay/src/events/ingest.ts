import type { Clock } from '../core/clock.ts'
import { MainstayError, ShutdownError, errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import type { Random } from '../core/random.ts'
import { nextTurn } from '../core/turn.ts'
import type { IngestMetrics } from './ingest-metrics.ts'
import type { EventLog } from './log.ts'
import { prepareEvent } from './prepare-event.ts'
import type { EventSpool } from './spool/spool.ts'
import type { NewStreamEvent } from './stream-event.ts'

/** The one way into the stream. */
export interface Ingest {
  /**
   * Takes events in, without their secrets and within bounds, in the order of the calls. Resolves once they are
   * durable: in the log, or in its spool while it is away. Giving the same events again is safe.
   *
   * @throws EventSpoolFullError, EventSpoolUnwritableError: the caller keeps the events and comes again;
   * EventLogUnavailableError where there is no spool; ShutdownError; the signal's reason
   */
  accept(events: readonly NewStreamEvent[], options?: { signal?: AbortSignal }): Promise<Accepted>
}

export interface Accepted {
  /** How many the log had already; not known of those that went into the spool. */
  readonly duplicates: number
  readonly spooled: boolean
}

export interface EventIngestOptions {
  readonly log: EventLog
  /** Where events wait while the log is away; without one they are refused then. */
  readonly spool: EventSpool | null
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: IngestMetrics
  /** The most bytes of one event. */
  readonly maxEventBytes?: number
  /** The longest pause before the log is tried again with what waits in the spool; default 500. */
  readonly retryMs?: number
}

interface Waiting {
  readonly events: readonly NewStreamEvent[]
  readonly done: PromiseWithResolvers<Accepted>
}

/** Events that go to the log together, unless one caller brought more. */
const BATCH = 256

/**
 * Takes events in.
 *
 *   direct ──the log is away──▶ spooling ──the spool is drained──▶ direct
 *
 * In `direct` batches go to the log, one at a time. In `spooling` they go behind what waits in the spool, and the spool
 * is carried to the log from its front. After a start with a spool that is not empty it begins in `spooling`.
 *
 * Invariant: the log gets events in the order in which they were accepted; what was accepted is in the log or in the
 * spool at any moment, so a crash loses none and may repeat some, which the log drops.
 *
 * Source: event-stream.md R3, R7, R32.
 */
export class EventIngest implements Ingest {
  readonly #options: EventIngestOptions
  readonly #closing = new AbortController()
  #queue: Waiting[] = []
  #working: Promise<void> | undefined
  #draining: Promise<void> | undefined
  #trouble: string | undefined

  constructor(options: EventIngestOptions) {
    this.#options = options
    if (options.spool?.isEmpty === false) this.#startDraining()
  }

  /** Why the log does not take events at the moment, undefined while it does. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  async accept(events: readonly NewStreamEvent[], { signal }: { signal?: AbortSignal } = {}): Promise<Accepted> {
    signal?.throwIfAborted()
    this.#closing.signal.throwIfAborted()
    if (events.length === 0) return { duplicates: 0, spooled: false }
    const done = Promise.withResolvers<Accepted>()
    const { maxEventBytes } = this.#options
    this.#queue.push({ events: events.map((event) => prepareEvent(event, maxEventBytes)), done })
    this.#working ??= this.#work()
    return await done.promise
  }

  /** Finishes what was accepted and lets go of the spool; the log is the caller's. */
  async close(): Promise<void> {
    this.#closing.abort(new ShutdownError('Taking in events'))
    await this.#working
    await this.#draining
    await this.#options.spool?.close()
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      await nextTurn()
      const group: Waiting[] = []
      for (let count = 0; count < BATCH && this.#queue.length > 0;) {
        const waiting = this.#queue.shift()!
        group.push(waiting)
        count += waiting.events.length
      }
      const events = group.flatMap((waiting) => waiting.events)
      try {
        const accepted = await this.#keep(events)
        for (const { done } of group) done.resolve(accepted)
      } catch (error) {
        this.#options.metrics.refused(events.length)
        for (const { done } of group) done.reject(error)
      }
    }
    this.#working = undefined
  }

  async #keep(events: readonly NewStreamEvent[]): Promise<Accepted> {
    const { spool } = this.#options
    if (spool === null) return { duplicates: await this.#append(events), spooled: false }
    if (spool.isEmpty) {
      try {
        return { duplicates: await this.#append(events), spooled: false }
      } catch (error) {
        if (!isTrouble(error)) throw error
      }
    }
    await spool.append(events)
    this.#startDraining()
    return { duplicates: 0, spooled: true }
  }

  /** @returns how many were repeats */
  async #append(events: readonly NewStreamEvent[]): Promise<number> {
    const { log, clock, metrics, logger } = this.#options
    const begun = clock.monotonic()
    try {
      const { events: stored, duplicates } = await log.append(events)
      metrics.stored(stored, duplicates, (clock.monotonic() - begun) / 1000)
      if (this.#trouble !== undefined) logger.info('The event log takes events again.')
      this.#trouble = undefined
      return duplicates
    } catch (error) {
      const trouble = errorMessage(error)
      metrics.away()
      if (this.#trouble === undefined) logger.warn({ err: error }, `The event log does not take events: ${trouble}`)
      this.#trouble = trouble
      throw error
    }
  }

  #startDraining(): void {
    this.#draining ??= this.#drain()
  }

  async #drain(): Promise<void> {
    const { spool, clock, random, logger, retryMs = 500 } = this.#options
    const { signal } = this.#closing
    for (;;) {
      if (spool === null || spool.isEmpty || signal.aborted) {
        this.#draining = undefined
        return
      }
      try {
        const { events, bytes } = await spool.peek(BATCH)
        if (events.length > 0) await this.#append(events)
        await spool.drop(bytes)
      } catch (error) {
        if (!isTrouble(error)) {
          logger.error({ err: error }, `Events wait in the spool of the event log: ${errorMessage(error)}`)
        }
        await clock.sleep(retryMs * (0.5 + random.next() / 2), { signal }).catch(() => undefined)
      }
    }
  }
}

/** Whether the log may take the same events later. Anything else is a defect, and a spool would hide it. */
function isTrouble(error: unknown): boolean {
  return error instanceof MainstayError && !(error instanceof ShutdownError)
}
