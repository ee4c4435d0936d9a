import type { Clock } from '../core/clock.ts'
import { adminContext, runInContext, type RequestContext } from '../core/context.ts'
import { errorMessage, isRetryable } from '../core/errors.ts'
import type { Ids } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import type { TaskGroup } from '../core/task-group.ts'
import { newRequestId } from '../http/request-id.ts'
import type { Queries, Store } from '../store/index.ts'
import type { StartRecovery } from './api/action.ts'
import { ACTIVE_STATUSES, notificationFromRow, type Notification } from './records/notification.ts'
import { setNotificationStatus } from './store/notifications.ts'

/**
 * What looks after notifications that nobody works on any more.
 *
 * The retry pass takes up `error` and old `new` notifications that have no running recovery: records of an older
 * installation, or of an engine that was cut off before it stored its work. The expiry pass gives up on what nobody
 * has begun to recover after a day. Each notification is looked at again inside the transaction that changes it, so
 * any number of engines may run both passes at the same time and each notification is taken up once.
 *
 * A recovery that has begun is left alone however old it is: it closes its notification itself, all of its waits have
 * limits, and one that is held waits for a person to say that the host is dead. To call it `failed` would free the
 * segment for changes under its hands.
 *
 * Source: ha-api.md 11.4, 11.5, 11.6.
 */

/** How far the recovery of a notification is: there is none, it waits for its turn, it has begun, it has ended. */
export type RecoveryProgress = 'none' | 'queued' | 'begun' | 'ended'

export interface UnfinishedDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly tasks: TaskGroup
  readonly recoveryOf: (queries: Queries, notification: Notification) => Promise<RecoveryProgress>
  readonly startRecovery: StartRecovery
}

export interface UnfinishedOptions {
  /** [process_unfinished_notifications_interval] */
  readonly retryIntervalMs: number
  /** How old a `new` notification is before it is taken up [retry_notification_new_status_interval]. */
  readonly retryNewAfterMs: number
  /** [check_expired_notifications_interval] */
  readonly expiryIntervalMs: number
  /** How old an unfinished notification may become [notifications_expired_interval]. */
  readonly expireAfterMs: number
}

export const defaultUnfinishedOptions: UnfinishedOptions = {
  retryIntervalMs: 120_000,
  retryNewAfterMs: 60_000,
  expiryIntervalMs: 600_000,
  expireAfterMs: 86_400_000,
}

/** Runs both passes again and again until the tasks are stopped. */
export function watchUnfinished(deps: UnfinishedDeps, options: UnfinishedOptions = defaultUnfinishedOptions): void {
  const repeat = async (name: string, intervalMs: number, pass: () => Promise<number>): Promise<void> => {
    await deps.tasks.spawn(name, async (signal) => {
      for (;;) {
        await deps.clock.sleep(intervalMs, { signal })
        await tolerating(deps.logger, name, pass)
      }
    })
  }
  const ended = (error: unknown): void => {
    if (!deps.tasks.signal.aborted) deps.logger.error({ err: error }, errorMessage(error))
  }
  repeat('retry unfinished notifications', options.retryIntervalMs, () => retryUnfinished(deps, options)).catch(ended)
  repeat('expire notifications', options.expiryIntervalMs, () => expireNotifications(deps, options)).catch(ended)
}

/** @returns how many notifications were taken up */
export async function retryUnfinished(
  deps: UnfinishedDeps,
  { retryNewAfterMs }: Pick<UnfinishedOptions, 'retryNewAfterMs'>,
): Promise<number> {
  const { store, clock, ids } = deps
  const rows = await store.read
    .selectFrom('notifications')
    .select(['notification_uuid'])
    .where('deleted', '=', 0)
    .where((row) =>
      row.or([
        row('status', '=', 'error'),
        row.and([row('status', '=', 'new'), row('generated_time', '<', clock.now() - retryNewAfterMs)]),
      ]),
    )
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute()
  let taken = 0
  for (const { notification_uuid: uuid } of rows) {
    const context = adminContext({ requestId: newRequestId(ids), timestampMs: clock.now() })
    const begin = await runInContext(context, async () => await takeUp(deps, uuid, context))
    begin?.()
    taken += begin === undefined ? 0 : 1
  }
  return taken
}

/** @returns how many notifications were given up */
export async function expireNotifications(
  deps: Pick<UnfinishedDeps, 'store' | 'clock' | 'logger' | 'recoveryOf'>,
  { expireAfterMs }: Pick<UnfinishedOptions, 'expireAfterMs'>,
): Promise<number> {
  const { store, clock, logger } = deps
  const bornBefore = clock.now() - expireAfterMs
  const rows = await store.read
    .selectFrom('notifications')
    .select(['notification_uuid'])
    .where('deleted', '=', 0)
    .where('status', 'in', [...ACTIVE_STATUSES])
    .where('generated_time', '<', bornBefore)
    .execute()
  let expired = 0
  for (const { notification_uuid: uuid } of rows) {
    if (!(await giveUp(deps, uuid))) continue
    expired += 1
    logger.warn({ notification: uuid }, `Notification ${uuid} was given up: it is too old.`)
  }
  return expired
}

async function giveUp(
  { store, clock, recoveryOf }: Pick<UnfinishedDeps, 'store' | 'clock' | 'recoveryOf'>,
  uuid: string,
): Promise<boolean> {
  return await store.write(async (queries) => {
    const notification = await lockNotification(store, queries, uuid)
    if (notification === undefined || !ACTIVE_STATUSES.includes(notification.status)) return false
    if ((await recoveryOf(queries, notification)) === 'begun') return false
    await setNotificationStatus(queries, uuid, 'failed', { nowMs: clock.now() })
    return true
  })
}

/** @returns what begins its recovery; undefined when there is none to begin */
async function takeUp(deps: UnfinishedDeps, uuid: string, context: RequestContext): Promise<(() => void) | undefined> {
  return await deps.store.write(async (queries) => {
    const notification = await lockNotification(deps.store, queries, uuid)
    if (notification?.status !== 'error' && notification?.status !== 'new') return undefined
    if ((await deps.recoveryOf(queries, notification)) !== 'none') return undefined
    return await deps.startRecovery(queries, notification, context)
  })
}

/** The notification as it is now; on PostgreSQL others wait until this transaction ends. */
async function lockNotification(store: Store, queries: Queries, uuid: string): Promise<Notification | undefined> {
  const chosen = queries.selectFrom('notifications').selectAll().where('notification_uuid', '=', uuid)
  const row = await (store.kind === 'postgres' ? chosen.forUpdate() : chosen).executeTakeFirst()
  return row === undefined ? undefined : notificationFromRow(row)
}

/** A pass that fails is complained about; the next one tries again. */
async function tolerating(logger: Logger, name: string, pass: () => Promise<number>): Promise<void> {
  try {
    await pass()
  } catch (error) {
    logger[isRetryable(error) ? 'warn' : 'error']({ err: error }, `${name}: ${errorMessage(error)}`)
  }
}
