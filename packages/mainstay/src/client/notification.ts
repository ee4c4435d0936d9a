import { unwrapList, unwrapRecord } from './body.ts'
import { pages, type ListOptions } from './paging.ts'
import { recordQuery } from './record-query.ts'
import type { StoredRecord } from './stored-record.ts'
import type { CallOptions, Transport } from './transport.ts'

export const NOTIFICATION_TYPES = ['COMPUTE_HOST', 'VM', 'PROCESS'] as const
export type NotificationType = (typeof NOTIFICATION_TYPES)[number]

export const NOTIFICATION_STATUSES = ['new', 'running', 'finished', 'ignored', 'error', 'failed'] as const
export type NotificationStatus = (typeof NOTIFICATION_STATUSES)[number]

/** Statuses after which nothing happens to a notification any more. Source: ha-api.md 11.1. */
export const FINAL_NOTIFICATION_STATUSES: ReadonlySet<NotificationStatus> = new Set(['finished', 'ignored', 'failed'])

export type NotificationPayload = Readonly<Record<string, string>>

/** One line of a task's progress. Source: ha-api.md 16. */
export interface ProgressDetail {
  /** UTC with a space between date and time. */
  readonly timestamp: string
  readonly progress: string
  readonly message: string
}

/** How far one task of a recovery workflow is. Source: ha-api.md 16. */
export interface TaskProgress {
  readonly name: string
  readonly progress: number
  readonly state: 'PENDING' | 'RUNNING' | 'SUCCESS' | 'FAILURE' | 'REVERTING' | 'REVERTED' | 'REVERT_FAILURE'
  readonly progress_details: readonly ProgressDetail[]
}

/** The report that something has failed. Source: ha-api.md 8.1. */
export interface Notification extends StoredRecord {
  readonly notification_uuid: string
  readonly generated_time: string
  readonly source_host_uuid: string
  readonly type: NotificationType
  readonly payload: NotificationPayload
  readonly status: NotificationStatus
  readonly failover_segment_uuid?: string | null
  readonly message?: string | null
  /** Only when one notification is shown, at microversion 1.1 and later. */
  readonly recovery_workflow_details?: readonly TaskProgress[]
}

export interface NewNotification {
  readonly type: NotificationType
  readonly hostname: string
  /** ISO 8601; UTC when it has no offset. */
  readonly generated_time: string
  readonly payload: NotificationPayload
}

export interface NewNotificationOptions extends CallOptions {
  /**
   * The sender's own id of the report (monitors.md 2.4). With it the call is repeated after a lost answer, because a
   * server that knows the key answers the repeat without storing it again.
   */
  readonly idempotencyKey?: string | undefined
}

export interface NotificationListOptions extends ListOptions {
  readonly status?: string | undefined
  readonly type?: string | undefined
  readonly sourceHostUuid?: string | undefined
  /** ISO 8601, inclusive. */
  readonly generatedSince?: string | undefined
}

/** Calls on notifications. They throw what `Transport.send` throws. Source: ha-api.md 8. */
export class Notifications {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** All notifications that match, newest first unless sorted otherwise. */
  list(options: NotificationListOptions = {}): AsyncGenerator<Notification> {
    const { status, type, sourceHostUuid, generatedSince, signal } = options
    const filters = { status, type, source_host_uuid: sourceHostUuid, 'generated-since': generatedSince }
    return pages(options, async (page) => {
      const query = { ...recordQuery(options, page), ...filters }
      const answer = await this.#transport.send({ method: 'GET', api: 'v1', path: '/notifications', query, signal })
      return unwrapList(answer, 'notifications', 'GET /notifications') as Notification[]
    })
  }

  async show(uuid: string, options: CallOptions = {}): Promise<Notification> {
    const path = notificationPath(uuid)
    const answer = await this.#transport.send({ method: 'GET', api: 'v1', path, ...options })
    return unwrapRecord(answer, 'notification', `GET ${path}`) as Notification
  }

  async create(notification: NewNotification, options: NewNotificationOptions = {}): Promise<Notification> {
    const { idempotencyKey, signal } = options
    const answer = await this.#transport.send({
      method: 'POST',
      api: 'v1',
      path: '/notifications',
      body: { notification },
      idempotent: idempotencyKey !== undefined,
      headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
      signal,
    })
    return unwrapRecord(answer, 'notification', 'POST /notifications') as Notification
  }
}

/** The path of one notification in the v1 API. */
export function notificationPath(uuid: string): string {
  return `/notifications/${encodeURIComponent(uuid)}`
}
