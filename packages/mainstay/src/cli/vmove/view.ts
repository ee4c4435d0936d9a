import type { Vmove } from '../../client/index.ts'
import type { View } from '../output/view.ts'

/** A guest is a `server` here, as in the `openstack` client. */
export const vmoveView: View<Vmove> = {
  columns: {
    created_at: (vmove) => vmove.created_at,
    updated_at: (vmove) => vmove.updated_at,
    uuid: (vmove) => vmove.uuid,
    server_id: (vmove) => vmove.instance_uuid,
    server_name: (vmove) => vmove.instance_name,
    source_host: (vmove) => vmove.source_host,
    dest_host: (vmove) => vmove.dest_host,
    start_time: (vmove) => vmove.start_time,
    end_time: (vmove) => vmove.end_time,
    type: (vmove) => vmove.type,
    status: (vmove) => vmove.status,
    message: (vmove) => vmove.message,
    notification_uuid: (vmove) => vmove.notification_uuid,
    id: (vmove) => vmove.id,
  },
  listed: ['uuid', 'server_id', 'server_name', 'source_host', 'dest_host', 'start_time', 'end_time', 'type', 'status'],
  shown: [
    'created_at',
    'updated_at',
    'uuid',
    'server_id',
    'server_name',
    'source_host',
    'dest_host',
    'start_time',
    'end_time',
    'type',
    'status',
    'message',
  ],
}
