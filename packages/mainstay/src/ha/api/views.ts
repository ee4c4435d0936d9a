import { formatSpacedTimestamp, formatTimestamp } from '../../core/timestamp.ts'
import type { JsonObject } from '../../core/json.ts'
import { formatMoment, formatSecond } from './format-second.ts'
import type { ProgressDetail } from '../progress.ts'
import type { Host } from '../records/host.ts'
import type { Notification } from '../records/notification.ts'
import type { Segment } from '../records/segment.ts'
import type { Vmove } from '../records/vmove.ts'

/** Records as the API writes them, members in the order of the specification. Source: ha-api.md 6.1, 7.1, 8.1, 9, 16. */

interface Dated {
  readonly createdAt: number
  readonly updatedAt: number | null
}

function dates({ createdAt, updatedAt }: Dated): JsonObject {
  return {
    created_at: formatSecond(createdAt),
    updated_at: updatedAt === null ? null : formatSecond(updatedAt),
    deleted_at: null,
    deleted: false,
  }
}

export function segmentView(segment: Segment): JsonObject {
  return {
    id: segment.id,
    uuid: segment.uuid,
    name: segment.name,
    service_type: segment.serviceType,
    enabled: segment.enabled,
    description: segment.description,
    recovery_method: segment.recoveryMethod,
    ...dates(segment),
  }
}

export function hostView(host: Host, segment: Segment): JsonObject {
  return {
    id: host.id,
    uuid: host.uuid,
    name: host.name,
    failover_segment_id: host.segmentUuid,
    failover_segment: segmentView(segment),
    type: host.type,
    reserved: host.reserved,
    control_attributes: host.controlAttributes,
    on_maintenance: host.onMaintenance,
    ...dates(host),
  }
}

/** @param progress is shown when given, also when it is empty */
export function notificationView(notification: Notification, progress?: readonly ProgressDetail[]): JsonObject {
  return {
    id: notification.id,
    notification_uuid: notification.uuid,
    generated_time: formatMoment(notification.generatedTime),
    source_host_uuid: notification.sourceHostUuid,
    type: notification.type,
    payload: notification.payload,
    status: notification.status,
    ...(progress === undefined ? {} : { recovery_workflow_details: progress.map(progressView) }),
    failover_segment_uuid: notification.segmentUuid,
    message: notification.message,
    ...dates(notification),
  }
}

export function vmoveView(vmove: Vmove): JsonObject {
  return {
    id: vmove.id,
    uuid: vmove.uuid,
    notification_uuid: vmove.notificationUuid,
    instance_uuid: vmove.instanceUuid,
    instance_name: vmove.instanceName,
    source_host: vmove.sourceHost,
    dest_host: vmove.destHost,
    start_time: vmove.startTime === null ? null : formatTimestamp(vmove.startTime),
    end_time: vmove.endTime === null ? null : formatTimestamp(vmove.endTime),
    type: vmove.type,
    status: vmove.status,
    message: vmove.message,
    ...dates(vmove),
  }
}

function progressView({ name, progress, state, steps }: ProgressDetail): JsonObject {
  return {
    name,
    progress,
    state,
    progress_details: steps.map((step) => ({
      timestamp: formatSpacedTimestamp(step.at),
      progress: Number.isInteger(step.progress) ? step.progress.toFixed(1) : String(step.progress),
      message: step.message,
    })),
  }
}
