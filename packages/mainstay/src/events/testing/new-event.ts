import { formatZulu } from '../../core/timestamp.ts'
import type { NewStreamEvent } from '../stream-event.ts'

/** An event for tests, as an OpenStack service would have caused it; what a test is about it says itself. */
export function newEvent(
  name: string | number,
  { atMs = Date.UTC(2026, 10, 21), ...members }: Partial<NewStreamEvent> & { atMs?: number } = {},
): NewStreamEvent {
  return {
    id: `id-${name}`,
    timestamp: formatZulu(atMs),
    event_type: 'baremetal.node.power_set.end',
    source: 'openstack',
    node_name: 'node-1',
    data: { name, service_type: 'baremetal', resource_id: 'r-1' },
    service_type: 'baremetal',
    canonical_service: 'ironic',
    resource_id: 'r-1',
    severity: 'info',
    occurred_at: formatZulu(atMs),
    publisher_id: 'ironic-conductor.node-1',
    source_event_id: `source-${name}`,
    project_id: null,
    correlation_id: 'req-1',
    ...members,
  }
}

export function newEvents(
  count: number,
  prefix = '',
  members: Partial<NewStreamEvent> & { atMs?: number } = {},
): NewStreamEvent[] {
  return Array.from({ length: count }, (_, index) => newEvent(`${prefix}${index + 1}`, members))
}
