import type { Host } from '../../client/index.ts'
import type { View } from '../output/view.ts'

export const hostView: View<Host> = {
  columns: {
    created_at: (host) => host.created_at,
    updated_at: (host) => host.updated_at,
    uuid: (host) => host.uuid,
    name: (host) => host.name,
    type: (host) => host.type,
    control_attributes: (host) => host.control_attributes,
    reserved: (host) => host.reserved,
    on_maintenance: (host) => host.on_maintenance,
    failover_segment_id: (host) => host.failover_segment_id,
    failover_segment: (host) => host.failover_segment.name,
    id: (host) => host.id,
  },
  listed: ['uuid', 'name', 'type', 'control_attributes', 'reserved', 'on_maintenance', 'failover_segment_id'],
  shown: [
    'created_at',
    'updated_at',
    'uuid',
    'name',
    'type',
    'control_attributes',
    'reserved',
    'on_maintenance',
    'failover_segment_id',
  ],
}
