import type { Selectable } from 'kysely'

import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts'
import { valuesOf, type NotificationTable, type ValuesOf } from '../../store/index.ts'

export const NOTIFICATION_TYPES = ['COMPUTE_HOST', 'VM', 'PROCESS'] as const
export type NotificationType = (typeof NOTIFICATION_TYPES)[number]

export const NOTIFICATION_STATUSES = ['new', 'running', 'finished', 'ignored', 'error', 'failed'] as const

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
export type NotificationStatus = (typeof NOTIFICATION_STATUSES)[number]

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

/** What a notification is made of, in the order of {@link notificationFromValues}. */
export const NOTIFICATION_COLUMNS = [
  ['id', 'integer'],
  ['notification_uuid', 'text'],
  ['generated_time', 'integer'],
  ['source_host_uuid', 'text'],
  ['type', 'text'],
  ['payload', 'text'],
  ['status', 'text'],
  ['failover_segment_uuid', 'text?'],
  ['message', 'text?'],
  ['created_at', 'integer'],
  ['updated_at', 'integer?'],
] as const

export function notificationFromValues(values: ValuesOf<typeof NOTIFICATION_COLUMNS>): Notification {
  const [
    id,
    uuid,
    generatedTime,
    sourceHostUuid,
    type,
    payloadText,
    status,
    segmentUuid,
    message,
    createdAt,
    updatedAt,
  ] = values
  const payload = parseJson(payloadText, `the payload of notification ${uuid}`)
  return {
    id,
    uuid,
    generatedTime,
    sourceHostUuid,
    type: type as NotificationType,
    payload: isJsonObject(payload) ? payload : {},
    status: status as NotificationStatus,
    segmentUuid,
    message,
    createdAt,
    updatedAt,
  }
}

export function notificationFromRow(row: Selectable<NotificationTable>): Notification {
  return notificationFromValues(valuesOf(NOTIFICATION_COLUMNS, row))
}
