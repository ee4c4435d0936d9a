import type { Selectable } from 'kysely'

import type { Store, WorkflowTable } from '../store/index.ts'
import { byLook, dueParameters, dueWorkflows, type DueOptions } from './due.ts'
import { subjectLock } from './locks.ts'

/**
 * Takes ownership of due workflows in one statement, so one round trip. Rows that another engine is claiming at this
 * moment are passed over; of several workflows of one subject the oldest is taken, if the subject's lock is free or
 * already its own. What was cancelled does nothing any more, so it needs no lock.
 *
 * Its own is read with a row lock: a workflow that was parked while this statement began may have given the lock back,
 * and another may have it by now, which the statement's snapshot does not show.
 *
 * $1 … $5 as {@link dueParameters} has them: $2 is the engine, $3 the time
 */
const claimBy = byLook(
  (kind) => `with due as (${dueWorkflows('postgres', kind)} for update of w skip locked),
  firsts as (select distinct on (subject) id, '${subjectLock('')}' || subject as lock from due
    where cancel_reason is null order by subject, created_at, id),
  taken as (insert into workflow_locks (name, workflow_id, at) select lock, id, $3 from firsts
    on conflict (name) do nothing returning workflow_id),
  own as (select l.workflow_id from workflow_locks l join firsts f on l.name = f.lock and l.workflow_id = f.id
    for key share of l),
  held as (select workflow_id from taken union
    select workflow_id from own
    union select id from due where cancel_reason is not null)
  update workflows set status = 'running', owner = $2, fence = fence + 1, wake_at = null, reason = null, updated_at = $3
  where id in (select workflow_id from held) returning *`,
)

export async function claimPostgres(store: Store, options: DueOptions): Promise<Selectable<WorkflowTable>[]> {
  return await store.writeStatement(claimBy(options.look), dueParameters('postgres', options))
}
