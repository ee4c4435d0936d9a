import type { StreamEvent } from '../stream-event.ts'

/** An event with the place `seq`; what is not given is that of a notification of ironic. */
export function streamEvent(seq: number, fields: Partial<StreamEvent> = {}): StreamEvent {
  const epoch = fields.epoch ?? 'e1'
  const id = `00000000-0000-4000-8000-${String(seq).padStart(12, '0')}`
  return {
    id,
    timestamp: '2026-01-01T00:00:00.500Z',
    event_type: 'baremetal.node.power_set.end',
    source: 'openstack',
    node_name: 'node-1',
    data: { service_type: 'baremetal', resource_id: 'r-1', n: seq },
    service_type: 'baremetal',
    canonical_service: 'ironic',
    resource_id: 'r-1',
    severity: 'info',
    occurred_at: '2026-01-01T00:00:00.000Z',
    publisher_id: 'ironic-conductor:host-1',
    source_event_id: id,
    project_id: null,
    correlation_id: null,
    ...fields,
    seq,
    epoch,
    cursor: `${epoch}:${seq}`,
  }
}
