import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import { ownEvent } from '../../events/own-event.ts'
import type { BuiltStore } from '../build-store.ts'
import type { Config } from '../config/schema.ts'
import { OutboxRelay } from '../outbox-relay.ts'
import type { BuiltEvents } from './open-events.ts'
import { trimEventLog } from './trim-event-log.ts'

export interface RelayParts {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly tasks: TaskGroup
  readonly store: BuiltStore
  readonly events: BuiltEvents | null
}

/** Carries what the rooms say of their changes into the log, and keeps the log in bounds. */
export function startRelay({ config, clock, logger, tasks, store, events }: RelayParts): OutboxRelay {
  const deliver: ConstructorParameters<typeof OutboxRelay>[0]['deliver'] =
    events === null
      ? null
      : async (waiting, signal) => {
          const taken = { nowMs: clock.now(), publisherId: events.publisherId }
          await events.ingest.accept(
            waiting.map((event) => ownEvent(event, taken)),
            { signal },
          )
        }
  const { outbox_poll_ms: pollMs, trim_interval_ms: intervalMs } = config.events
  const relay = new OutboxRelay({ store: store.store, clock, tasks, logger, deliver, pollMs })
  relay.start()
  if (events !== null) trimEventLog(events.log, { clock, logger, tasks, intervalMs })
  return relay
}
