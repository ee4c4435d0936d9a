import { CompiledQuery } from 'kysely'

import { toJson } from '../core/json.ts'
import type { Queries } from '../store/index.ts'
import { claimNewSqlite } from './claim-sqlite.ts'
import { subjectLock } from './locks.ts'
import { entryRow, outboxRow, reasonText, type HistoryRecord } from './record.ts'

/**
 * The hot path of the journal on SQLite, written as fixed statements that take a whole batch as one JSON text: handing
 * a statement over costs more than a row.
 */
const OWNED = `select w.id, w.fence from json_each(?) r join workflows w on w.id = r.value ->> 0
  where w.fence = r.value ->> 1 and w.finished_at is null`
const INSERT = `insert into workflow_history (workflow_id, seq, kind, key, data, fence, at)
  select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 from json_each(?)`
const TELL = `insert into event_outbox (event_id, event, at)
  select value ->> 0, value ->> 1, value ->> 2 from json_each(?) order by key`
const CHANGE = `update workflows set status = ?, wake_at = coalesce(wake_at, ?), reason = ?, result = ?, finished_at = ?,
  owner = null, updated_at = ? where id = ?`
const UNLOCK = 'delete from workflow_locks where workflow_id = ?'
const RELEASE = `delete from workflow_locks where workflow_id = ?1
  and name = (select '${subjectLock('')}' || subject from workflows where id = ?1)`

/**
 * @param records if one of them claims its workflow, all are of that workflow
 * @returns the records that somebody else's claim made worthless; nothing of them was written
 */
export async function writeRecordsSqlite(
  queries: Queries,
  records: readonly HistoryRecord[],
): Promise<Set<HistoryRecord>> {
  const claiming = records.find(({ claim }) => claim !== undefined)
  if (claiming?.claim !== undefined && !(await claimNewSqlite(queries, claiming, claiming.claim)))
    return new Set(records)
  const asked = toJson(records.map(({ workflowId, fence }) => [workflowId, fence]))
  const owned = await queries.executeQuery<{ id: string; fence: number }>(CompiledQuery.raw(OWNED, [asked]))
  const tokens = new Map(owned.rows.map((row) => [row.id, row.fence]))
  const isOurs = (record: HistoryRecord): boolean => tokens.get(record.workflowId) === record.fence
  const ours = records.filter(isOurs)
  const rows = ours.flatMap((record) => record.entries.map((entry) => Object.values(entryRow(record, entry))))
  if (rows.length > 0) await queries.executeQuery(CompiledQuery.raw(INSERT, [toJson(rows)]))
  const told = ours.flatMap(({ events = [] }) => events.map((event) => Object.values(outboxRow(event))))
  if (told.length > 0) await queries.executeQuery(CompiledQuery.raw(TELL, [toJson(told)]))
  for (const record of ours) if (record.change !== undefined) await changeStatus(queries, record, record.change)
  return new Set(records.filter((record) => !isOurs(record)))
}

async function changeStatus(
  queries: Queries,
  record: HistoryRecord,
  change: NonNullable<HistoryRecord['change']>,
): Promise<void> {
  const ended = change.status !== 'waiting' && change.status !== 'held'
  await queries.executeQuery(
    CompiledQuery.raw(CHANGE, [
      change.status,
      change.wakeAt,
      reasonText(change.reason),
      change.result === null ? null : toJson(change.result),
      ended ? record.at : null,
      record.at,
      record.workflowId,
    ]),
  )
  if (ended) await queries.executeQuery(CompiledQuery.raw(UNLOCK, [record.workflowId]))
  else if (change.releasesSubject === true) await queries.executeQuery(CompiledQuery.raw(RELEASE, [record.workflowId]))
}
