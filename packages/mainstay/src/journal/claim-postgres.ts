import type { Selectable } from 'kysely'

import type { Store, WorkflowTable } from '../store/index.ts'
import { dueWorkflows, type DueOptions } from './due.ts'
import { subjectLock } from './locks.ts'

/**
 * Takes ownership of due workflows in one statement, so one round trip. Rows that another engine is claiming at this
 * moment are passed over; of several workflows of one subject the oldest is taken, if the subject's lock is free or
 * already its own. What was cancelled does nothing any more, so it needs no lock.
 */
export async function claimPostgres(store: Store, options: DueOptions): Promise<Selectable<WorkflowTable>[]> {
  const due = dueWorkflows(store.read, options).forUpdate().skipLocked().compile()
  const [engine, now, prefix] = [1, 2, 3].map((place) => `$${due.parameters.length + place}`)
  const statement = `with due as (${due.sql}),
    firsts as (select distinct on (subject) id, ${prefix}::text || subject as lock from due
      where cancel_reason is null order by subject, created_at, id),
    taken as (insert into workflow_locks (name, workflow_id, at) select lock, id, ${now}::bigint from firsts
      on conflict (name) do nothing returning workflow_id),
    held as (select workflow_id from taken union
      select l.workflow_id from workflow_locks l join firsts f on l.name = f.lock and l.workflow_id = f.id
      union select id from due where cancel_reason is not null)
    update workflows set status = 'running', owner = ${engine}, fence = fence + 1, wake_at = null, reason = null,
      updated_at = ${now}::bigint
    where id in (select workflow_id from held) returning *`
  return await store.writeStatement(statement, [...due.parameters, options.engine, options.now, subjectLock('')])
}
