import { findHost, type Notification, type NotificationType } from '../ha/index.ts'
import { enqueueWorkflow, type EnqueuedWorkflow } from '../journal/index.ts'
import type { Queries } from '../store/index.ts'
import { payloadText } from './rules/payload-text.ts'

/** The workflow that handles each type of notification. */
export const WORKFLOW_OF: Readonly<Record<NotificationType, string>> = {
  COMPUTE_HOST: 'host-failure',
  VM: 'instance-failure',
  PROCESS: 'process-failure',
}

/**
 * Starts the workflow of a notification, in the transaction that stores the notification: neither exists without the
 * other, and both have the same id. Notifications of one host are handled one at a time (ha-api.md 11.3, step 2).
 *
 * @param now milliseconds since the Unix epoch
 * @returns what an engine can be told of once the transaction is on disk
 */
export async function startRecovery(
  queries: Queries,
  notification: Notification,
  now: number,
): Promise<EnqueuedWorkflow> {
  const host = await findHost(queries, notification.sourceHostUuid)
  return await enqueueWorkflow(
    queries,
    {
      id: notification.uuid,
      name: WORKFLOW_OF[notification.type],
      version: 1,
      subject: `host:${notification.sourceHostUuid}`,
      input: {
        notificationUuid: notification.uuid,
        host: host?.name ?? notification.sourceHostUuid,
        generatedAt: notification.generatedTime,
        ...(notification.type === 'VM'
          ? { guest: payloadText(notification.payload, 'instance_uuid').toLowerCase() }
          : {}),
      },
    },
    now,
  )
}
