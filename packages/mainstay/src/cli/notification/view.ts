import type { Notification } from '../../client/index.ts'
import { toJson, parseJson } from '../../core/json.ts'
import type { View } from '../output/view.ts'

export const notificationView: View<Notification> = {
  columns: {
    created_at: (notification) => notification.created_at,
    updated_at: (notification) => notification.updated_at,
    notification_uuid: (notification) => notification.notification_uuid,
    generated_time: (notification) => notification.generated_time,
    status: (notification) => notification.status,
    type: (notification) => notification.type,
    source_host_uuid: (notification) => notification.source_host_uuid,
    payload: (notification) => notification.payload,
    failover_segment_uuid: (notification) => notification.failover_segment_uuid ?? null,
    message: (notification) => notification.message ?? null,
    recovery_workflow_details: (notification) =>
      parseJson(toJson(notification.recovery_workflow_details ?? []), 'the progress details'),
    id: (notification) => notification.id,
  },
  listed: ['notification_uuid', 'generated_time', 'status', 'type', 'source_host_uuid', 'payload'],
  shown: [
    'created_at',
    'updated_at',
    'notification_uuid',
    'type',
    'status',
    'source_host_uuid',
    'generated_time',
    'payload',
    'failover_segment_uuid',
    'message',
    'recovery_workflow_details',
  ],
}
