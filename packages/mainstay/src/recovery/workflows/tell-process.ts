import { findNotification, type HaEvent, type Notification } from '../../ha/index.ts'
import type { Queries } from '../../store/index.ts'
import type { RecoveryTools } from './tools.ts'

/**
 * Tells the listeners that the handling of a notification begins, has ended or went wrong, with the notification as it
 * is stored at that moment: call it before the status is changed.
 *
 * Source: ha-api.md 11.3 and 18.
 *
 * @param fault what went wrong, as text; null unless `phase` is `error`
 */
export async function tellProcess(
  queries: Queries,
  { tellListeners }: RecoveryTools,
  { notification, phase, fault, now }: ProcessNews,
): Promise<void> {
  const subject = { resource: 'notification', notification } as const
  await tellListeners(queries, { resource: 'notification', action: 'process', phase, subject, fault }, now)
}

interface ProcessNews {
  readonly notification: Notification
  readonly phase: HaEvent['phase']
  readonly fault: string | null
  readonly now: number
}

/** As {@link tellProcess}, of the notification with this id; nothing is told when it is deleted. */
export async function tellProcessOf(
  queries: Queries,
  tools: RecoveryTools,
  { uuid, ...news }: Omit<ProcessNews, 'notification'> & { uuid: string },
): Promise<void> {
  const notification = await findNotification(queries, uuid)
  if (notification !== undefined) await tellProcess(queries, tools, { notification, ...news })
}
