import type { Clock } from '../core/clock.ts'
import type { RequestContext } from '../core/context.ts'
import { errorMessage } from '../core/errors.ts'
import type { MainstayEvent, Publish } from '../core/event.ts'
import type { Ids } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import { writeToOutbox, type Queries, type Store } from '../store/index.ts'
import { toMainstayEvent, type HaEvent, type HaSubject } from './events.ts'

/** Where events go beside our own stream: the message bus, where one is configured. */
export interface Notifier {
  /** Keeps events of a change in its transaction, in their order, until they can be sent. */
  store(queries: Queries, events: readonly HaEvent[], context: RequestContext): Promise<void>
  /** A transaction in which something was stored has been committed. */
  committed(): void
  /** Takes what is told of an attempt that failed, so that nothing was committed; nobody waits for it. */
  tellFailure(events: readonly HaEvent[], context: RequestContext): void
}

export interface AnnouncerDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** Takes what is told of attempts that failed, on our own stream; what was done is told with the change itself. */
  readonly publishFailure?: Publish | undefined
  readonly notifier?: Notifier | undefined
}

/** What is about to change, told once all checks have passed. */
export type Begin = (before: HaSubject) => void

/** What a transaction made and what is told of it. */
export interface Change<T> {
  readonly result: T
  /** Undefined when nothing was changed, so nothing is told. */
  readonly after: HaSubject | undefined
}

/**
 * Makes changes and tells of them. Telling never makes a change fail, and a change that was refused before it began
 * is not told of.
 *
 * Source: ha-api.md 18.
 */
export class Announcer {
  readonly #deps: AnnouncerDeps

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps
  }

  /**
   * Runs a change in a transaction. `start` and `end` are stored in it for our own stream and for the bus, which get them
   * once it has been committed; `start` and `error` are told when it failed after it began.
   *
   * @param change the body of the transaction; may run more than once
   */
  async change<T>(
    action: HaEvent['action'],
    context: RequestContext,
    change: (queries: Queries, begin: Begin) => Promise<Change<T>>,
  ): Promise<T> {
    const { store, notifier } = this.#deps
    let before: Told | undefined
    try {
      const { result, after } = await store.write(async (queries) => {
        before = undefined
        const begin = (subject: HaSubject): void => void (before = this.#event(action, 'start', subject, null, context))
        const changed = await change(queries, begin)
        if (changed.after === undefined) return changed
        const end = this.#event(action, 'end', changed.after, null, context)
        const told = before === undefined ? [end] : [before, end]
        await writeToOutbox(queries, ...told.map(({ own }) => own))
        const events = told.map(({ event }) => event)
        await notifier?.store(queries, events, context)
        return changed
      })
      if (after !== undefined) this.#tell(() => notifier?.committed())
      return result
    } catch (error) {
      if (before !== undefined) {
        this.#tellFailure([before, this.#event(action, 'error', before.event.subject, error, context)], context)
      }
      throw error
    }
  }

  #event(
    action: HaEvent['action'],
    phase: HaEvent['phase'],
    subject: HaSubject,
    fault: unknown,
    context: RequestContext,
  ): Told {
    const { clock, ids } = this.#deps
    const event: HaEvent = { resource: subject.resource, action, phase, subject, fault }
    return { event, own: toMainstayEvent(event, { id: ids.ordered(), nowMs: clock.now(), context }) }
  }

  #tellFailure(told: readonly Told[], context: RequestContext): void {
    const { publishFailure, notifier } = this.#deps
    const events = told.map(({ event }) => event)
    for (const { own } of told) this.#tell(() => publishFailure?.publish(own))
    this.#tell(() => notifier?.tellFailure(events, context))
  }

  /** Telling never makes a change fail, nor hides why it was refused. */
  #tell(send: () => void): void {
    try {
      send()
    } catch (error) {
      this.#deps.logger.warn({ err: error }, `An event was not delivered: ${errorMessage(error)}`)
    }
  }
}

interface Told {
  readonly event: HaEvent
  readonly own: MainstayEvent
}
