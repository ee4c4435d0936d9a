import { canonicalJson, type JsonObject } from '../../core/json.ts'
import type { Queries } from '../../store/index.ts'
import {
  notificationFromRow,
  type Notification,
  type NotificationStatus,
  type NotificationType,
} from '../records/notification.ts'
import { wholeSeconds } from './whole-seconds.ts'

export interface NewNotification {
  readonly uuid: string
  readonly generatedTime: number
  readonly sourceHostUuid: string
  readonly type: NotificationType
  readonly payload: JsonObject
  readonly segmentUuid: string
  readonly idempotencyKey: string | null
}

/** The notification with exactly this id. */
export async function findNotification(queries: Queries, uuid: string): Promise<Notification | undefined> {
  const row = await queries
    .selectFrom('notifications')
    .selectAll()
    .where('notification_uuid', '=', uuid)
    .where('deleted', '=', 0)
    .executeTakeFirst()
  return row === undefined ? undefined : notificationFromRow(row)
}

/** The notification that was stored for this report of its sender, if it came before. Source: monitors.md 2.4. */
export async function findNotificationByKey(queries: Queries, key: string): Promise<Notification | undefined> {
  const row = await queries
    .selectFrom('notifications')
    .selectAll()
    .where('idempotency_key', '=', key)
    .executeTakeFirst()
  return row === undefined ? undefined : notificationFromRow(row)
}

/**
 * Whether the same was reported before: same type, host and payload, and not generated earlier than `sinceMs`. There
 * is no upper bound and every status counts. Payloads are stored in canonical form, so equal ones are equal text.
 *
 * Source: ha-api.md 8.3, step 6.
 */
export async function hasDuplicate(
  queries: Queries,
  {
    sourceHostUuid,
    type,
    payload,
    sinceMs,
  }: Pick<NewNotification, 'sourceHostUuid' | 'type' | 'payload'> & {
    sinceMs: number
  },
): Promise<boolean> {
  const row = await queries
    .selectFrom('notifications')
    .select('id')
    .where('source_host_uuid', '=', sourceHostUuid)
    .where('type', '=', type)
    .where('generated_time', '>=', sinceMs)
    .where('payload', '=', canonicalJson(payload))
    .where('deleted', '=', 0)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** @throws StoreConflictError when the idempotency key was stored a moment ago by somebody else */
export async function insertNotification(
  queries: Queries,
  notification: NewNotification,
  nowMs: number,
): Promise<Notification> {
  const row = await queries
    .insertInto('notifications')
    .values({
      notification_uuid: notification.uuid,
      generated_time: notification.generatedTime,
      source_host_uuid: notification.sourceHostUuid,
      type: notification.type,
      payload: canonicalJson(notification.payload),
      status: 'new',
      failover_segment_uuid: notification.segmentUuid,
      message: null,
      idempotency_key: notification.idempotencyKey,
      created_at: wholeSeconds(nowMs),
      updated_at: null,
      deleted_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return notificationFromRow(row)
}

/**
 * Moves a notification on.
 *
 * @param options.message replaces the message when given
 * @returns the notification as it is now, or undefined when there is none
 */
export async function setNotificationStatus(
  queries: Queries,
  uuid: string,
  status: NotificationStatus,
  { nowMs, message }: { nowMs: number; message?: string | null },
): Promise<Notification | undefined> {
  const row = await queries
    .updateTable('notifications')
    .set({ status, updated_at: wholeSeconds(nowMs), ...(message === undefined ? {} : { message }) })
    .where('notification_uuid', '=', uuid)
    .where('deleted', '=', 0)
    .returningAll()
    .executeTakeFirst()
  return row === undefined ? undefined : notificationFromRow(row)
}
