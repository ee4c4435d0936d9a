import type { Notification, NotificationStatus } from '../../client/index.ts'
import { OutcomeError } from '../errors.ts'

/** Which statuses are final (ha-api.md 11.1), for every status that there is. */
const FINAL: Readonly<Record<NotificationStatus, boolean>> = {
  new: false,
  running: false,
  error: false,
  finished: true,
  ignored: true,
  failed: true,
}

/** Whether nothing happens to the notification any more. */
export function isSettled(notification: Notification): boolean {
  return FINAL[notification.status]
}

/** @throws OutcomeError when the recovery failed */
export function refuseFailed({ notification_uuid: uuid, status }: Notification): void {
  if (status !== 'failed') return
  throw new OutcomeError(
    `The recovery of notification ${uuid} failed. "mainstay recovery list" has its run, ` +
      `"mainstay recovery explain" says why.`,
  )
}
