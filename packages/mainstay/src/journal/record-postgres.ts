import { CompiledQuery } from 'kysely'

import { toJson } from '../core/json.ts'
import type { Queries, Store } from '../store/index.ts'
import { subjectLock } from './locks.ts'
import { entryRow, outboxRow, reasonText, type HistoryRecord } from './record.ts'

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
 * joining of sets it takes a sixth less.
 *
 * $1 the workflow · $2 its token · $3 … $7 the entries' places, kinds, keys, data and times
 */
const ADD = `with owned as (
    select id, fence from workflows where id = $1 and fence = $2 and finished_at is null for update),
  inserted as (
    insert into workflow_history (workflow_id, seq, kind, key, data, fence, at)
    select o.id, e.seq, e.kind, e.key, e.data, o.fence, e.at
    from owned o, unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::bigint[]) as e(seq, kind, key, data, at))`

/** Added where something is told of them: $8 … $10 the events' ids, texts and times. */
const ADD_TELL = `,
  told as (
    insert into event_outbox (event_id, event, at)
    select e.event_id, e.event, e.at
    from owned o, unnest($8::text[], $9::text[], $10::bigint[]) with ordinality as e(event_id, event, at, place)
    order by e.place)`

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

/** The same outside of a transaction: one round trip. */
export async function writeRecordsAlonePostgres(
  store: Store,
  records: readonly HistoryRecord[],
): Promise<Set<HistoryRecord>> {
  return staleOf(records, await store.writeStatement<Owned>(...statementOf(records)))
}

function statementOf(records: readonly HistoryRecord[]): [statement: string, parameters: unknown[]] {
  const [first] = records
  const alone =
    first !== undefined &&
    records.every(
      ({ workflowId, fence, change }) =>
        workflowId === first.workflowId && fence === first.fence && change === undefined,
    )
  const told = records.some(({ events = [] }) => events.length > 0)
  return alone
    ? [ADD + (told ? ADD_TELL : '') + OWNED, addParameters(first, records, told)]
    : [RECORD + (told ? RECORD_TELL : '') + OWNED, recordParameters(records, told)]
}

function addParameters(
  { workflowId, fence }: HistoryRecord,
  records: readonly HistoryRecord[],
  told: boolean,
): unknown[] {
  const rows = records.flatMap((record) => record.entries.map((entry) => entryRow(record, entry)))
  return [
    workflowId,
    fence,
    rows.map(({ seq }) => seq),
    rows.map(({ kind }) => kind),
    rows.map(({ key }) => key),
    rows.map(({ data }) => data),
    rows.map(({ at }) => at),
    ...(told ? toldParameters(records) : []),
  ]
}

function toldParameters(records: readonly HistoryRecord[]): unknown[] {
  const rows = records.flatMap(({ events = [] }) => events.map(outboxRow))
  return [rows.map((row) => row.event_id), rows.map(({ event }) => event), rows.map(({ at }) => at)]
}

function recordParameters(records: readonly HistoryRecord[], told: boolean): unknown[] {
  const asked = new Map(records.map(({ workflowId, fence }) => [`${workflowId} ${fence}`, { id: workflowId, fence }]))
  const entries = records.flatMap((record) => record.entries.map((entry) => entryRow(record, entry)))
  const changes = records.flatMap((record) => (record.change === undefined ? [] : [changeRow(record, record.change)]))
  const ids = new Set(records.map(({ workflowId }) => workflowId))
  const events = records.flatMap(({ workflowId, fence, events: own = [] }) =>
    own.map((event) => ({ workflow_id: workflowId, fence, ...outboxRow(event) })),
  )
  const placed = events.map((event, place) => ({ ...event, place }))
  return [...[[...asked.values()], entries, changes].map(toJson), [...ids], ...(told ? [toJson(placed)] : [])]
}

function staleOf(records: readonly HistoryRecord[], owned: readonly Owned[]): Set<HistoryRecord> {
  const tokens = new Map(owned.map(({ id, fence }) => [id, fence]))
  return new Set(records.filter((record) => tokens.get(record.workflowId) !== record.fence))
}

function changeRow(record: HistoryRecord, change: NonNullable<HistoryRecord['change']>): Record<string, unknown> {
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
