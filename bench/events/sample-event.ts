import type { NewStreamEvent } from '../../packages/mainstay/src/events/stream-event.ts'

/** About so many bytes has an event's payload of its own, so that a compatible frame has about 520. */
const EXTRA_BYTES = 310

/** An event as a service sends many of. @param options when it is sent, and how many bytes of its own it has */
export function sampleEvent(
  number: number,
  { sentAt = 0n, bytes = EXTRA_BYTES }: { readonly sentAt?: bigint; readonly bytes?: number } = {},
): NewStreamEvent {
  const id = `b2c5e1f0-0000-4000-8000-${String(number).padStart(12, '0')}`
  const now = new Date().toISOString()
  return {
    id,
    timestamp: now,
    event_type: 'baremetal.node.power_set.end',
    source: 'openstack',
    node_name: `node-${number % 100}`,
    data: {
      service_type: 'baremetal',
      resource_id: `r-${number % 100}`,
      sent_at: String(sentAt),
      extra: 'x'.repeat(bytes - 40),
    },
    service_type: 'baremetal',
    canonical_service: 'ironic',
    resource_id: `r-${number % 100}`,
    severity: 'info',
    occurred_at: now,
    publisher_id: null,
    source_event_id: id,
    project_id: null,
    correlation_id: null,
  }
}
