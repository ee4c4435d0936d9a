import type { Clock } from '../core/clock.ts'
import { adminContext, currentContext } from '../core/context.ts'
import type { Ids } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import type { TaskGroup } from '../core/task-group.ts'
import { BusRelay, busMessage, toMainstayEvent, writeToBusOutbox, type RabbitmqNotifier } from '../ha/index.ts'
import { newRequestId } from '../http/request-id.ts'
import type { TellListeners } from '../recovery/index.ts'
import { writeToOutbox, type Store } from '../store/index.ts'
import type { Config } from './config/schema.ts'

/**
 * Writes what recoveries do with records into the outboxes, in the transaction of the change: for our own stream, and
 * for the message bus where one is configured.
 *
 * Source: ha-api.md 18.
 */
export function tellListeners({ ids, toBus }: { ids: Ids; toBus: boolean }): TellListeners {
  return async (queries, event, nowMs) => {
    const context = currentContext() ?? adminContext({ requestId: newRequestId(ids), timestampMs: nowMs })
    await writeToOutbox(queries, toMainstayEvent(event, { id: ids.ordered(), nowMs, context }))
    if (toBus) await writeToBusOutbox(queries, busMessage(event, { ids, nowMs, context }), nowMs)
  }
}

/** Carries to the bus what recoveries have left for it. Other processes without a bus leave nothing. */
export function startBusRelay(
  { notifications }: Config,
  notifier: RabbitmqNotifier,
  parts: { store: Store; clock: Clock; tasks: TaskGroup; logger: Logger },
): BusRelay {
  const { poll_ms: pollMs, keep_ms: keepMs } = notifications
  const relay = new BusRelay({
    ...parts,
    deliver: async (message, options) => await notifier.deliver(message, options),
    pollMs,
    keepMs,
  })
  relay.start()
  return relay
}
