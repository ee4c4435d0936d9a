import { CompiledQuery, type Selectable } from 'kysely'

import type { Queries, Store, WorkflowTable } from '../store/index.ts'
import { byLook, dueParameters, dueWorkflows, type DueOptions, type DueWorkflow } from './due.ts'
import { takeSubjects } from './locks.ts'

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
