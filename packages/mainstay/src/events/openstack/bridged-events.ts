import type { Clock } from '../../core/clock.ts'
import { MainstayError } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import { canonicalJson, isJsonObject, type JsonObject } from '../../core/json.ts'
import type { BridgeManager } from '../compat/bridge-options.ts'
import type { Ingest } from '../ingest.ts'
import { notificationToStreamEvent } from './to-stream-event.ts'
import { uuidV5 } from './stable-id.ts'

/** The name space of ids that are made from what events say. */
const NAME_SPACE = '0f0b7c2e-9c1a-5b57-8a53-5d1d3d7b1a6e'

/** What came over the bridge is no notification. */
export class BridgedEventError extends MainstayError {
  readonly code = 'MS_BRIDGED_EVENT'
  readonly status = 422
  readonly retryable = false
}

export interface BridgedEventsDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly ingest: Pick<Ingest, 'accept'>
  /** Whether other nodes take in the same channel for the same log. */
  readonly shared: boolean
}

/**
 * Puts events that come over the bridge into our log.
 *
 * They carry no id. Where several nodes hear the same channel for one log, each computes the same id from what the event
 * says, so that the log keeps one; then two events that say exactly the same within the log's window for repeats are one
 * as well. A node alone gives each its own id.
 */
export function bridgedEvents({ clock, ids, ingest, shared }: BridgedEventsDeps): BridgeManager {
  return {
    broadcastEventFromNotification: async (eventType, payload) => {
      if (!isJsonObject(payload)) throw new BridgedEventError(`The payload of a bridged ${eventType} is not an object.`)
      const fallbackId = shared ? contentId(eventType, payload) : ids.random()
      const event = notificationToStreamEvent(bare(eventType, payload), { nowMs: clock.now(), fallbackId })
      await ingest.accept([event])
    },
  }
}

function contentId(eventType: string, payload: JsonObject): string {
  return uuidV5(NAME_SPACE, canonicalJson([eventType, payload]))
}

/** A notification of which only type and payload are known. */
function bare(eventType: string, payload: JsonObject): Parameters<typeof notificationToStreamEvent>[0] {
  return {
    eventType,
    payload,
    priority: null,
    timestamp: null,
    publisherId: null,
    messageId: null,
    requestProjectId: null,
    requestId: null,
  }
}
