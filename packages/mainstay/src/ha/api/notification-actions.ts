import { canonicalJson } from '../../core/json.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { BadRequestError, ConflictError, IdempotencyKeyReusedError, NotFoundError } from '../../http/errors.ts'
import { isAtLeast } from '../../http/microversion.ts'
import { StoreConflictError, type Queries } from '../../store/index.ts'
import { notificationFromValues, type Notification } from '../records/notification.ts'
import { isUuidLike } from '../rules/text.ts'
import { findHostByName, nameOfHost } from '../store/hosts.ts'
import { listRecords, type Filter } from '../store/list-records.ts'
import { lockHost } from '../store/lock-row.ts'
import {
  findNotification,
  findNotificationByKey,
  hasDuplicate,
  insertNotification,
  type NewNotification,
} from '../store/notifications.ts'
import { bodyAction, type Action, type ActionDeps, type Call } from './action.ts'
import { filterValue, readLimit, readPage } from './list-query.ts'
import { createNotification, PAYLOADS } from './notification-schema.ts'
import { notificationView } from './views.ts'

/** Notifications. Source: ha-api.md 8. */
export const notificationActions: Readonly<Record<'index' | 'create' | 'show', Action>> = {
  index: {
    policy: 'os_masakari_api:notifications:index',
    successStatus: 200,
    run: async ({ store, options }, { query }) => {
      const limit = readLimit(query, options.maxLimit)
      const filters = notificationFilters(query)
      if (limit === 0) return { notifications: [] }
      const rows = await listRecords(store, 'notifications', filters, readPage(query, limit))
      return { notifications: rows.map((values) => notificationView(notificationFromValues(values))) }
    },
  },
  create: bodyAction({
    policy: 'os_masakari_api:notifications:create',
    successStatus: 202,
    schema: () => createNotification,
    run: async (deps, { body, ...call }) => {
      const { hostname, type, payload, generated_time: generated } = body.notification
      PAYLOADS[type].check(payload)
      const report: Report = { hostname, type, payload, generatedTime: parseTimestamp(generated) ?? deps.clock.now() }
      await deps.clock.sleep(deps.random.next() * deps.options.notificationDelayMaxMs, { signal: call.signal })
      const stored = await storeReport(deps, report, call)
      return { notification: notificationView(stored) }
    },
  }),
  show: {
    policy: 'os_masakari_api:notifications:detail',
    successStatus: 200,
    run: async ({ store, readProgress }, call) => {
      const notification = await requireNotification(store.read, call.id('notifications'))
      const progress = isAtLeast(call.version, 1, 1) ? await readProgress(notification.uuid) : undefined
      return { notification: notificationView(notification, progress) }
    },
  },
}

/** @throws NotFoundError */
export async function requireNotification(queries: Queries, uuid: string): Promise<Notification> {
  const notification = isUuidLike(uuid) ? await findNotification(queries, uuid) : undefined
  if (notification === undefined) throw new NotFoundError(`No notification with id ${uuid}.`)
  return notification
}

type Report = Pick<NewNotification, 'type' | 'payload' | 'generatedTime'> & { readonly hostname: string }

/**
 * Stores a report and starts its recovery in one transaction, or answers with what the same report left before.
 *
 * @throws BadRequestError for an unknown host, ConflictError for a duplicate or a host on maintenance,
 *   IdempotencyKeyReusedError when the key belongs to another report
 */
async function storeReport(
  deps: ActionDeps,
  report: Report,
  { context, idempotencyKey }: Pick<Call, 'context' | 'idempotencyKey'>,
): Promise<Notification> {
  let begin: () => void = nothingToDo
  try {
    const stored = await deps.announcer.change('create', context, async (queries, announce) => {
      // It may run again, and find then that another request has stored the same report.
      begin = nothingToDo
      const repeated = await findRepeated(queries, idempotencyKey, report)
      if (repeated !== undefined) return { result: repeated, after: undefined }
      const accepted = await acceptReport(deps, queries, report)
      const wanted = { ...accepted, idempotencyKey }
      const { uuid: _notYetKnown, idempotencyKey: _notTold, ...known } = wanted
      announce({ resource: 'notification', notification: { ...known, status: 'new' } })
      const notification = await insertNotification(queries, wanted, deps.clock.now())
      begin = await deps.startRecovery(queries, notification, context)
      return { result: notification, after: { resource: 'notification', notification } }
    })
    begin()
    return stored
  } catch (error) {
    // The same key may have been stored after it was looked for; its report is then a duplicate of itself.
    const taken = error instanceof StoreConflictError || error instanceof ConflictError
    if (!taken || idempotencyKey === null) throw error
    const repeated = await findRepeated(deps.store.read, idempotencyKey, report)
    if (repeated === undefined) throw error
    return repeated
  }
}

/** Its recovery was begun before. */
function nothingToDo(): void {}

/**
 * What the same report left when it came before.
 *
 * @throws IdempotencyKeyReusedError when another report came with the key
 */
async function findRepeated(queries: Queries, key: string | null, report: Report): Promise<Notification | undefined> {
  const stored = key === null ? undefined : await findNotificationByKey(queries, key)
  if (key === null || stored === undefined) return undefined
  const hostname = await nameOfHost(queries, stored.sourceHostUuid)
  const isSame =
    stored.type === report.type &&
    stored.generatedTime === report.generatedTime &&
    canonicalJson(stored.payload) === canonicalJson(report.payload) &&
    // Of a host that was purged nobody can tell.
    (hostname === undefined || hostname === report.hostname)
  if (!isSame) throw new IdempotencyKeyReusedError(key)
  return stored
}

async function acceptReport(
  { ids, options, store }: ActionDeps,
  queries: Queries,
  { hostname, type, payload, generatedTime }: Report,
): Promise<Omit<NewNotification, 'idempotencyKey'>> {
  const named = await findHostByName(queries, hostname)
  if (named !== undefined) await lockHost(queries, store.kind, named.uuid)
  const host = await findHostByName(queries, hostname)
  if (host === undefined) {
    throw new BadRequestError(`Host with name ${hostname} could not be found. Add it to a failover segment first.`)
  }
  if (host.onMaintenance) {
    throw new ConflictError(
      `Notification received from host ${hostname} of type '${type}' is ignored as the host is already under maintenance.`,
    )
  }
  const sinceMs = generatedTime - options.duplicateIntervalMs
  if (await hasDuplicate(queries, { sourceHostUuid: host.uuid, type, payload, sinceMs })) {
    throw new ConflictError(
      `A notification of type '${type}' with the same payload from host ${hostname} was received already. ` +
        'It is being, or has been, worked on.',
    )
  }
  return {
    uuid: ids.random(),
    generatedTime,
    sourceHostUuid: host.uuid,
    type,
    payload,
    segmentUuid: host.segmentUuid,
  }
}

/** @throws BadRequestError when `generated-since` is no time */
function notificationFilters(query: URLSearchParams): Filter[] {
  const filters: Filter[] = []
  for (const column of ['status', 'source_host_uuid', 'type']) {
    const value = filterValue(query, column)
    if (value !== null) filters.push({ column, operator: '=', value })
  }
  const since = filterValue(query, 'generated-since')
  if (since !== null) {
    const value = parseTimestamp(since)
    if (value === undefined) {
      throw new BadRequestError(`The value '${since}' of parameter generated-since is no ISO 8601 time.`)
    }
    filters.push({ column: 'generated_time', operator: '>=', value })
  }
  return filters
}
