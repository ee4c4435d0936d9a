import { CompiledQuery } from 'kysely'

import { toJson } from '../core/json.ts'
import type { Queries, Store } from '../store/index.ts'
import { CLAIM_NEW } from './claim-postgres.ts'
import { subjectLock } from './locks.ts'
import { entryRow, outboxRow, reasonText, type FirstClaim, type HistoryRecord } from './record.ts'

/**
 * The hot path of the journal on PostgreSQL: however many records, one statement, so one round trip and one flush.
 *
 * $1 the workflows and tokens that are claimed to be ours · $2 entries · $3 changes of status · $4 the workflows' ids,
 * said once more because a list of known length is looked up in the index, and a set from JSON by reading the table
 *
 * It locks the workflows that are still ours, so that no engine can claim one of them before the statement ends, and
 * writes for those alone. Returns them.
 */
const RECORD = `with asked as (select * from json_to_recordset($1::json) as r(id text, fence integer)),
  owned as (
    select w.id, w.fence from workflows w join asked r on w.id = r.id and w.fence = r.fence
    where w.id = any($4::text[]) and w.finished_at is null order by w.id for update of w),
  inserted as (
    insert into workflow_history (workflow_id, seq, kind, key, data, fence, at)
    select e.workflow_id, e.seq, e.kind, e.key, e.data, e.fence, e.at
    from json_to_recordset($2::json) as e(workflow_id text, seq integer, kind text, key text, data text,
      fence integer, at bigint)
    join owned o on o.id = e.workflow_id and o.fence = e.fence),
  changed as (
    update workflows w set status = c.status, wake_at = coalesce(w.wake_at, c.wake_at), reason = c.reason,
      result = c.result, finished_at = c.finished_at, owner = null, updated_at = c.at
    from json_to_recordset($3::json) as c(id text, fence integer, status text, wake_at bigint, reason text,
      result text, finished_at bigint, at bigint, releases boolean)
    join owned o on o.id = c.id and o.fence = c.fence
    where w.id = c.id returning w.id, w.finished_at, '${subjectLock('')}' || w.subject as lock, c.releases),
  unlocked as (
    delete from workflow_locks l using changed c
    where l.workflow_id = c.id and (c.finished_at is not null or (c.releases and l.name = c.lock)))`

/** Added where something is told of the records: $5 the events. */
const RECORD_TELL = `,
  told as (
    insert into event_outbox (event_id, event, at)
    select e.event_id, e.event, e.at
    from json_to_recordset($5::json) as e(workflow_id text, fence integer, place integer, event_id text, event text,
      at bigint)
    join owned o on o.id = e.workflow_id and o.fence = e.fence order by e.place)`

const OWNED = `
  select id, fence from owned`

/**
 * The same for one workflow that only goes on, which is what most records are: without the reading of JSON and the
 * joining of sets it takes less than half of the server's time.
 *
 * $1 the workflow · $2 its token · then the entries
 */
const ADD = `with owned as (
    select id, fence from workflows where id = $1 and fence = $2 and finished_at is null for update)`

/**
 * The same for one workflow that ends or goes to sleep.
 *
 * $3 … $9 its new status, time to wake, reason, result, time of the end, time of the change, and whether it gives its
 * subject back · then the entries
 */
const CHANGE = `with owned as (
    update workflows set status = $3, wake_at = coalesce(wake_at, $4::bigint), reason = $5, result = $6,
      finished_at = $7::bigint, owner = null, updated_at = $8::bigint
    where id = $1 and fence = $2 and finished_at is null returning id, fence, '${subjectLock('')}' || subject as lock),
  unlocked as (
    delete from workflow_locks l using owned o
    where l.workflow_id = $1 and ($7::bigint is not null or ($9::boolean and l.name = o.lock)))`

/** Entries, each of them five parameters: as one list per column the server would have to read them again. */
function added(firstPlace: number, count: number): string {
  const rows = Array.from({ length: count }, (_, index) => {
    const [seq, kind, key, data, at] = [0, 1, 2, 3, 4].map((column) => `$${firstPlace + index * 5 + column}`)
    return `(${seq}::integer, ${kind}::text, ${key}::text, ${data}::text, ${at}::bigint)`
  })
  return `
  insert into workflow_history (workflow_id, seq, kind, key, data, fence, at)
  select o.id, e.seq, e.kind, e.key, e.data, o.fence, e.at
  from owned o, (values ${rows.join(', ')}) as e(seq, kind, key, data, at)`
}

/** Added where something is told of them: the events' ids, texts and times, in three places. */
const told = (place: number): string => `,
  told as (
    insert into event_outbox (event_id, event, at)
    select e.event_id, e.event, e.at
    from owned o, unnest($${place}::text[], $${place + 1}::text[], $${place + 2}::bigint[]) with ordinality
      as e(event_id, event, at, place)
    order by e.place)`

/** More entries of one workflow at once are rare, and each number of them is a text that the server keeps a plan of. */
const MAX_ENTRIES = 4

/** A statement, and the same that tells of its records as well. */
interface Statement {
  readonly quiet: string
  readonly telling: string
}

/** Entries that are added to what `before` owns, in the places after its own. */
function adding(before: string, places: number, entries: number): Statement {
  const add = entries === 0 ? OWNED : `${added(places + 1, entries)} returning workflow_id as id, fence`
  return { quiet: `${before}${add}`, telling: `${before}${told(places + 1 + entries * 5)}${add}` }
}

function changing(entries: number): Statement {
  const along = entries === 0 ? '' : `,\n  inserted as (${added(10, entries)})`
  return {
    quiet: `${CHANGE}${along}${OWNED}`,
    telling: `${CHANGE}${told(10 + entries * 5)}${along}${OWNED}`,
  }
}

/** The statements for one workflow, by the number of its entries: each text is made once. */
const ONE = Array.from({ length: MAX_ENTRIES + 1 }, (_, entries) => ({
  claim: adding(CLAIM_NEW, 4, entries),
  add: adding(ADD, 2, entries),
  change: changing(entries),
}))

interface Owned {
  readonly id: string
  readonly fence: number
}

/** @returns the records that a newer owner made worthless; nothing of them was written */
export async function writeRecordsPostgres(
  queries: Queries,
  records: readonly HistoryRecord[],
): Promise<Set<HistoryRecord>> {
  const { rows } = await queries.executeQuery<Owned>(CompiledQuery.raw(...statementOf(records)))
  return staleOf(records, rows)
}

/**
 * The same outside of a transaction: one round trip.
 *
 * @param records if one of them claims its workflow, all are of that workflow
 */
export async function writeRecordsAlonePostgres(
  store: Store,
  records: readonly HistoryRecord[],
): Promise<Set<HistoryRecord>> {
  const owner = records.find(({ claim }) => claim !== undefined)
  const statement = owner?.claim === undefined ? statementOf(records) : claimingStatementOf(records, owner, owner.claim)
  return staleOf(records, await store.writeStatement<Owned>(...statement))
}

function statementOf(records: readonly HistoryRecord[]): [text: string, parameters: unknown[]] {
  const [first] = records
  const changes = records.flatMap((record) => (record.change === undefined ? [] : [changeRow(record, record.change)]))
  const entries = records.flatMap((record) => record.entries.map((entry) => entryRow(record, entry)))
  const tells = records.some(({ events = [] }) => events.length > 0)
  const alone = first !== undefined && records.every((each) => isOfSameRun(each, first))
  const one = changes.length <= 1 ? ONE[entries.length] : undefined
  if (!alone || one === undefined)
    return [RECORD + (tells ? RECORD_TELL : '') + OWNED, recordParameters(records, tells)]
  const { quiet, telling } = changes.length === 0 ? one.add : one.change
  const parameters = [
    first.workflowId,
    first.fence,
    ...changes.flatMap(changeParameters),
    ...entries.flatMap(entryParameters),
  ]
  return tells ? [telling, [...parameters, ...toldParameters(records)]] : [quiet, parameters]
}

/** For records of one workflow, the first of which claims it. */
function claimingStatementOf(
  records: readonly HistoryRecord[],
  owner: HistoryRecord,
  claim: FirstClaim,
): [text: string, parameters: unknown[]] {
  if (records.some(({ change }) => change !== undefined)) throw new TypeError('A claim changes no status of its own.')
  const entries = records.flatMap((record) => record.entries.map((entry) => entryRow(record, entry)))
  const { quiet, telling } = ONE[entries.length]?.claim ?? adding(CLAIM_NEW, 4, entries.length)
  const parameters = [owner.workflowId, owner.fence, claim.engine, owner.at, ...entries.flatMap(entryParameters)]
  const tells = records.some(({ events = [] }) => events.length > 0)
  return tells ? [telling, [...parameters, ...toldParameters(records)]] : [quiet, parameters]
}

function isOfSameRun(one: HistoryRecord, other: HistoryRecord): boolean {
  return one.workflowId === other.workflowId && one.fence === other.fence
}

function entryParameters({ seq, kind, key, data, at }: ReturnType<typeof entryRow>): unknown[] {
  return [seq, kind, key, data, at]
}

function changeParameters(row: ChangeRow): unknown[] {
  return [row.status, row.wake_at, row.reason, row.result, row.finished_at, row.at, row.releases]
}

function toldParameters(records: readonly HistoryRecord[]): unknown[] {
  const rows = records.flatMap(({ events = [] }) => events.map(outboxRow))
  return [rows.map((row) => row.event_id), rows.map(({ event }) => event), rows.map(({ at }) => at)]
}

function recordParameters(records: readonly HistoryRecord[], tells: boolean): unknown[] {
  const asked = new Map(records.map(({ workflowId, fence }) => [`${workflowId} ${fence}`, { id: workflowId, fence }]))
  const entries = records.flatMap((record) => record.entries.map((entry) => entryRow(record, entry)))
  const changes = records.flatMap((record) => (record.change === undefined ? [] : [changeRow(record, record.change)]))
  const ids = new Set(records.map(({ workflowId }) => workflowId))
  const events = records.flatMap(({ workflowId, fence, events: own = [] }) =>
    own.map((event) => ({ workflow_id: workflowId, fence, ...outboxRow(event) })),
  )
  const placed = events.map((event, place) => ({ ...event, place }))
  return [...[[...asked.values()], entries, changes].map(toJson), [...ids], ...(tells ? [toJson(placed)] : [])]
}

function staleOf(records: readonly HistoryRecord[], owned: readonly Owned[]): Set<HistoryRecord> {
  const tokens = new Map(owned.map(({ id, fence }) => [id, fence]))
  return new Set(records.filter((record) => tokens.get(record.workflowId) !== record.fence))
}

interface ChangeRow {
  readonly id: string
  readonly fence: number
  readonly status: string
  readonly wake_at: number | null
  readonly reason: string | null
  readonly result: string | null
  readonly finished_at: number | null
  readonly at: number
  readonly releases: boolean
}

function changeRow(record: HistoryRecord, change: NonNullable<HistoryRecord['change']>): ChangeRow {
  const ended = change.status !== 'waiting' && change.status !== 'held'
  return {
    id: record.workflowId,
    fence: record.fence,
    status: change.status,
    wake_at: change.wakeAt,
    reason: reasonText(change.reason),
    result: change.result === null ? null : toJson(change.result),
    finished_at: ended ? record.at : null,
    at: record.at,
    releases: change.releasesSubject === true,
  }
}
