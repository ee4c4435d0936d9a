import type { Clock } from '../core/clock.ts'
import { adminContext, runInContext, type RequestContext } from '../core/context.ts'
import { errorMessage, isRetryable } from '../core/errors.ts'
import type { Ids } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import type { TaskGroup } from '../core/task-group.ts'
import { newRequestId } from '../http/request-id.ts'
import type { Queries, Store } from '../store/index.ts'
import { ACTIVE_STATUSES, notificationFromRow, type Notification } from './records/notification.ts'

/**
 * What looks after notifications that nobody works on any more.
 *
 * The retry pass takes up `error` and old `new` notifications that have no running recovery: records of an older
 * installation, or of an engine that was cut off before it stored its work. The expiry pass gives up on what is
 * unfinished after a day. Each notification is looked at again inside the transaction that changes it, so any number
 * of engines may run both passes at the same time and each notification is taken up once.
 *
 * Source: ha-api.md 11.4, 11.5, 11.6.
 */
export interface UnfinishedDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly tasks: TaskGroup
  /** Whether a recovery of this notification waits or runs. */
  readonly isWorkedOn: (queries: Queries, notification: Notification) => Promise<boolean>
  readonly startRecovery: (queries: Queries, notification: Notification, context: RequestContext) => Promise<void>
  readonly afterCommit?: () => void
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
    const took = await runInContext(context, async () => await takeUp(deps, uuid, context))
    taken += Number(took)
  }
  if (taken > 0) deps.afterCommit?.()
  return taken
}

/** @returns how many notifications were given up */
export async function expireNotifications(
  { store, clock, logger }: Pick<UnfinishedDeps, 'store' | 'clock' | 'logger'>,
  { expireAfterMs }: Pick<UnfinishedOptions, 'expireAfterMs'>,
): Promise<number> {
  const nowMs = clock.now()
  const expired = await store.write(async (queries) => {
    const rows = await queries
      .updateTable('notifications')
      .set({ status: 'failed', updated_at: Math.floor(nowMs / 1000) * 1000 })
      .where('deleted', '=', 0)
      .where('status', 'in', [...ACTIVE_STATUSES])
      .where('generated_time', '<', nowMs - expireAfterMs)
      .returning('notification_uuid')
      .execute()
    return rows.map((row) => row.notification_uuid)
  })
  for (const uuid of expired) logger.warn({ notification: uuid }, `Notification ${uuid} was given up: it is too old.`)
  return expired.length
}

async function takeUp(deps: UnfinishedDeps, uuid: string, context: RequestContext): Promise<boolean> {
  return await deps.store.write(async (queries) => {
    const locked = queries.selectFrom('notifications').selectAll().where('notification_uuid', '=', uuid)
    const row = await (deps.store.kind === 'postgres' ? locked.forUpdate() : locked).executeTakeFirst()
    if (row === undefined || (row.status !== 'error' && row.status !== 'new')) return false
    const notification = notificationFromRow(row)
    if (await deps.isWorkedOn(queries, notification)) return false
    await deps.startRecovery(queries, notification, context)
    return true
  })
}

/** A pass that fails is complained about; the next one tries again. */
async function tolerating(logger: Logger, name: string, pass: () => Promise<number>): Promise<void> {
  try {
    await pass()
  } catch (error) {
    logger[isRetryable(error) ? 'warn' : 'error']({ err: error }, `${name}: ${errorMessage(error)}`)
  }
}
