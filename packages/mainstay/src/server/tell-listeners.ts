import { adminContext, currentContext } from '../core/context.ts'
import type { Ids } from '../core/ids.ts'
import { toMainstayEvent, type Notifier } from '../ha/index.ts'
import { newRequestId } from '../http/request-id.ts'
import type { TellListeners } from '../recovery/index.ts'
import { writeToOutbox } from '../store/index.ts'

/**
 * Writes what recoveries do with records into the outboxes, in the transaction of the change: for our own stream, and
 * for the message bus where one is configured.
 *
 * Source: ha-api.md 18.
 */
export function tellListeners({ ids, bus }: { ids: Ids; bus: Notifier | undefined }): TellListeners {
  return async (queries, event, nowMs) => {
    const context = currentContext() ?? adminContext({ requestId: newRequestId(ids), timestampMs: nowMs })
    await writeToOutbox(queries, toMainstayEvent(event, { id: ids.ordered(), nowMs, context }))
    await bus?.store(queries, [event], context)
  }
}
