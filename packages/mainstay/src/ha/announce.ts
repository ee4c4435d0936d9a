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
  notify(event: HaEvent, context: RequestContext): void
}

export interface AnnouncerDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly publish?: Publish | undefined
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
   * Runs a change in a transaction. `end` is stored in it; `start` and `end` are sent when it has been committed,
   * `start` and `error` when it failed after it began.
   *
   * @param change the body of the transaction; may run more than once
   */
  async change<T>(
    action: HaEvent['action'],
    context: RequestContext,
    change: (queries: Queries, begin: Begin) => Promise<Change<T>>,
  ): Promise<T> {
    const { store } = this.#deps
    let before: HaSubject | undefined
    try {
      const written = await store.write(async (queries) => {
        before = undefined
        const { result, after } = await change(queries, (subject) => void (before = subject))
        if (after === undefined) return { result, told: undefined }
        const told = this.#event(action, 'end', after, null, context)
        await writeToOutbox(queries, told.own)
        return { result, told }
      })
      if (before !== undefined) this.#tell(this.#event(action, 'start', before, null, context), context)
      if (written.told !== undefined) this.#tell(written.told, context)
      return written.result
    } catch (error) {
      if (before !== undefined) {
        this.#tell(this.#event(action, 'start', before, null, context), context)
        this.#tell(this.#event(action, 'error', before, error, context), context)
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

  #tell({ event, own }: Told, context: RequestContext): void {
    const { publish, notifier, logger } = this.#deps
    try {
      publish?.publish(own)
      notifier?.notify(event, context)
    } catch (error) {
      logger.warn({ err: error, eventType: own.type }, `An event was not delivered: ${errorMessage(error)}`)
    }
  }
}

interface Told {
  readonly event: HaEvent
  readonly own: MainstayEvent
}
