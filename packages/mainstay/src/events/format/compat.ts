import { heartbeatMessage, EventMessage } from '../compat/event-message.ts'
import type { ControlFrame } from '../hub/control-frame.ts'
import type { StreamEvent } from '../stream-event.ts'

/** What heartbeats give as their source. */
export const DEFAULT_HEARTBEAT_SOURCE = 'mainstay'

/**
 * An event as the compatible endpoint sends it: six members, and in `data` the payload with the two members that the
 * reference adds to it.
 *
 * Source: event-stream.md section 1 and 4.
 */
export function formatCompat(event: StreamEvent): string {
  const { event_type: type, source, node_name: node, id, timestamp } = event
  const data = { ...event.data, service_type: event.service_type, resource_id: event.resource_id }
  return new EventMessage(type, source, data, node, { id, timestamp }).toJson()
}

/** The compatible endpoint has a word for heartbeats alone: what else is no event, its clients would take for one. */
export function formatCompatControl(
  frame: ControlFrame,
  heartbeatSource: string = DEFAULT_HEARTBEAT_SOURCE,
): string | undefined {
  return frame.type === 'heartbeat' ? heartbeatMessage(heartbeatSource, { timestamp: frame.time }).toJson() : undefined
}
