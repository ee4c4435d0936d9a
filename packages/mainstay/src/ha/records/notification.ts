import type { Selectable } from 'kysely'

import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts'
import type { NotificationTable } from '../../store/index.ts'

export const NOTIFICATION_TYPES = ['COMPUTE_HOST', 'VM', 'PROCESS'] as const
export type NotificationType = (typeof NOTIFICATION_TYPES)[number]

/**
 * The life of a notification.
 *
 *   new ──▶ running ──▶ finished | ignored | error
 *   new ──▶ ignored                     (its segment is disabled)
 *   error ──▶ running                   (one retry)
 *   new | running | error ──▶ failed    (the retry failed too, or a day has passed)
 *
 * finished, ignored and failed are final. Source: ha-api.md 11.1.
 */
export type NotificationStatus = 'new' | 'running' | 'finished' | 'ignored' | 'error' | 'failed'

/** A notification in one of these keeps its segment and hosts from being changed. Source: ha-api.md 6.3. */
export const ACTIVE_STATUSES: readonly NotificationStatus[] = ['new', 'running', 'error']

/** A monitor's report that something failed. Times are milliseconds since the Unix epoch. */
export interface Notification {
  readonly id: number
  readonly uuid: string
  /** When the monitor saw it. */
  readonly generatedTime: number
  readonly sourceHostUuid: string
  readonly type: NotificationType
  readonly payload: JsonObject
  readonly status: NotificationStatus
  /** Null only in records of old installations whose host is gone. */
  readonly segmentUuid: string | null
  readonly message: string | null
  readonly createdAt: number
  readonly updatedAt: number | null
}

export function notificationFromRow(row: Selectable<NotificationTable>): Notification {
  const payload = parseJson(row.payload, `the payload of notification ${row.notification_uuid}`)
  return {
    id: row.id,
    uuid: row.notification_uuid,
    generatedTime: row.generated_time,
    sourceHostUuid: row.source_host_uuid,
    type: row.type as NotificationType,
    payload: isJsonObject(payload) ? payload : {},
    status: row.status as NotificationStatus,
    segmentUuid: row.failover_segment_uuid,
    message: row.message,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
