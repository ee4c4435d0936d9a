import type { MainstayEvent } from '../core/event.ts'
import { formatZulu } from '../core/timestamp.ts'
import { serviceOf } from './filter/index.ts'
import { stableId } from './openstack/stable-id.ts'
import type { NewStreamEvent } from './stream-event.ts'

/**
 * An event of one of our own rooms as the stream carries it. Its payload is kept as it is.
 *
 * Source: event-stream.md R2.
 *
 * @param nowMs when the stream takes it in, in milliseconds since the Unix epoch
 * @param publisherId names the process that took it in, for example `mainstay:host-1`
 */
export function ownEvent(
  event: MainstayEvent,
  { nowMs, publisherId }: { nowMs: number; publisherId: string },
): NewStreamEvent {
  return {
    id: stableId(event.id),
    timestamp: formatZulu(nowMs),
    event_type: event.type,
    source: 'mainstay',
    node_name: event.nodeName,
    data: event.payload,
    service_type: serviceOf(event.type),
    canonical_service: 'mainstay',
    resource_id: event.resourceId,
    severity: event.severity,
    occurred_at: formatZulu(event.occurredAt),
    publisher_id: publisherId,
    source_event_id: event.id,
    project_id: event.projectId,
    correlation_id: event.correlationId,
  }
}
