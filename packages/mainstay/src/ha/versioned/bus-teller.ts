import type { Clock } from '../../core/clock.ts'
import type { RequestContext } from '../../core/context.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import type { Queries, Store } from '../../store/index.ts'
import type { Notifier } from '../announce.ts'
import type { HaEvent } from '../events.ts'
import { busMessage } from './bus-message.ts'
import { writeToBusOutbox } from './bus-outbox.ts'
import type { BusRelay } from './bus-relay.ts'

export interface BusTellerDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly tasks: TaskGroup
  readonly logger: Logger
  readonly relay: Pick<BusRelay, 'poke'>
}

/**
 * Leaves events for the message bus in its outbox, so that a bus that is away, and an end of this process, lose none and
 * nobody waits for either.
 *
 * Source: ha-api.md 18.
 */
export class BusTeller implements Notifier {
  readonly #deps: BusTellerDeps

  constructor(deps: BusTellerDeps) {
    this.#deps = deps
  }

  async store(queries: Queries, events: readonly HaEvent[], context: RequestContext): Promise<void> {
    const { clock, ids } = this.#deps
    const nowMs = clock.now()
    const messages = events.map((event) => busMessage(event, { ids, nowMs, context }))
    await writeToBusOutbox(queries, messages, nowMs)
  }

  committed(): void {
    this.#deps.relay.poke()
  }

  tellFailure(events: readonly HaEvent[], context: RequestContext): void {
    const { store, tasks, logger } = this.#deps
    if (tasks.signal.aborted) return
    tasks
      .spawn('keep notifications for the message bus', async () => {
        await store.write(async (queries) => await this.store(queries, events, context))
      })
      .then(() => this.committed())
      .catch((error: unknown) => logger.warn({ err: error }, `Notifications were lost: ${errorMessage(error)}`))
  }
}
