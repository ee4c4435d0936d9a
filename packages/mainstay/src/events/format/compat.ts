import { toJson } from '../../core/json.ts'
import { heartbeatMessage, EventMessage } from '../compat/event-message.ts'
import type { StreamEvent } from '../stream-event.ts'
import type { Format } from './format.ts'

/** What heartbeats give as their source. */
export const DEFAULT_HEARTBEAT_SOURCE = 'mainstay'

/**
 * The format of the reference: six members, no counter. Beside events it has words for heartbeats, which look like one,
 * and for answers; what else the stream says its clients would not understand.
 *
 * Source: event-stream.md section 1 and 6.
 */
export function compatFormat({ heartbeatSource = DEFAULT_HEARTBEAT_SOURCE } = {}): Format {
  return {
    name: 'compat',
    counted: false,
    event: formatCompat,
    control: (frame) => {
      switch (frame.type) {
        case 'heartbeat':
          return heartbeatMessage(heartbeatSource, { timestamp: frame.time }).toJson()
        case 'filter_update':
        case 'error':
          return toJson(frame)
        default:
          return undefined
      }
    },
  }
}

/** An event with the two members in its data that the reference adds. Source: event-stream.md section 4. */
export function formatCompat(event: StreamEvent): string {
  const { event_type: type, source, node_name: node, id, timestamp } = event
  const data = { ...event.data, service_type: event.service_type, resource_id: event.resource_id }
  return new EventMessage(type, source, data, node, { id, timestamp }).toJson()
}
