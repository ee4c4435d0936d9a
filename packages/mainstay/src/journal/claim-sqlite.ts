import { CompiledQuery, type Selectable } from 'kysely'

import type { Queries, Store, WorkflowTable } from '../store/index.ts'
import { byLook, dueParameters, dueWorkflows, type DueOptions, type DueWorkflow } from './due.ts'
import { subjectLock, takeSubjects } from './locks.ts'
import type { FirstClaim, HistoryRecord } from './record.ts'

const dueBy = byLook((kind) => dueWorkflows('sqlite', kind))

/** Takes ownership of due workflows. Looking costs a read; only when there is something is a write worth its flush. */
export async function claimSqlite(store: Store, options: DueOptions): Promise<Selectable<WorkflowTable>[]> {
  const { engine, now } = options
  const any = await dueOf(store.read, { ...options, limit: 1 })
  if (any.length === 0) return []
  return await store.write(async (queries) => {
    const due = await dueOf(queries, options)
    // What was cancelled does nothing any more, so it needs no lock.
    const cancelled = due.filter((row) => row.cancel_reason !== null).map((row) => row.id)
    const candidates = due.filter((row) => row.cancel_reason === null)
    const firsts = [...new Map(candidates.toReversed().map((row) => [row.subject, row])).values()]
    const free = [...cancelled, ...(firsts.length === 0 ? [] : await takeSubjects(queries, firsts, now))]
    if (free.length === 0) return []
    return await queries
      .updateTable('workflows')
      .set((eb) => ({
        status: 'running',
        owner: engine,
        fence: eb('fence', '+', 1),
        wake_at: null,
        reason: null,
        updated_at: now,
      }))
      .where('id', 'in', free)
      .returningAll()
      .execute()
  })
}

async function dueOf(queries: Queries, options: DueOptions): Promise<DueWorkflow[]> {
  const query = CompiledQuery.raw(dueBy(options.look), dueParameters('sqlite', options))
  const { rows } = await queries.executeQuery<DueWorkflow>(query)
  return rows
}

/** ?1 the workflow · ?2 its first token · ?3 the time */
const TAKE_NEW = `insert into workflow_locks (name, workflow_id, at)
  select '${subjectLock('')}' || w.subject, w.id, ?3 from workflows w
  where w.id = ?1 and w.status = 'pending' and w.fence = ?2 - 1 and w.cancel_reason is null
    and not exists (select o.id from workflows o where o.subject = w.subject and o.id <> w.id
      and o.status in ('pending', 'waiting', 'held') and o.wake_at <= ?3)
  on conflict (name) do nothing returning workflow_id`
const OWN = `update workflows set status = 'running', owner = ?4, fence = ?2, wake_at = null, reason = null,
  updated_at = ?3 where id = ?1`

/**
 * Takes one workflow that nobody has had yet. Not when it was cancelled, while others of its subject are due before it,
 * or without the subject's lock.
 *
 * @returns whether the workflow is the engine's now
 */
export async function claimNewSqlite(
  queries: Queries,
  { workflowId, fence, at }: Pick<HistoryRecord, 'workflowId' | 'fence' | 'at'>,
  { engine }: FirstClaim,
): Promise<boolean> {
  const taken = await queries.executeQuery(CompiledQuery.raw(TAKE_NEW, [workflowId, fence, at]))
  if (taken.rows.length === 0) return false
  await queries.executeQuery(CompiledQuery.raw(OWN, [workflowId, fence, at, engine]))
  return true
}
