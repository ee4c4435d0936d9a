import { hostname } from 'node:os'

import type { RequestContext } from '../../core/context.ts'
import type { Ids } from '../../core/ids.ts'
import type { HaEvent } from '../events.ts'
import { envelope, osloMessage } from './envelope.ts'

/** A finished message for the bus. */
export interface BusMessage {
  readonly priority: 'info' | 'error'
  /** JSON as oslo.messaging writes it. */
  readonly body: string
}

/** What the bus is told of an event. Source: ha-api.md 18. */
export function busMessage(
  event: HaEvent,
  { ids, nowMs, context }: { ids: Ids; nowMs: number; context: RequestContext },
): BusMessage {
  const binary = event.action === 'process' ? 'masakari-engine' : 'masakari-api'
  const message = envelope(event, { id: ids.random(), publisherId: `${binary}:${hostname()}`, nowMs })
  return {
    priority: event.phase === 'error' ? 'error' : 'info',
    body: osloMessage(message, context, ids.random()),
  }
}
