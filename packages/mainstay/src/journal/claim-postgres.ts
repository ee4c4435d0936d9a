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

/** Whether there is anything to take. The engine is named because every parameter must have a type. */
const ANY_OF_SUBJECTS = `with due as (${dueWorkflows('postgres', 'subjects')}) select id from due where $2::text is not null`

export async function claimPostgres(store: Store, options: DueOptions): Promise<Selectable<WorkflowTable>[]> {
  // Whoever makes way mostly makes it for nobody, and to ask is half as dear as to take.
  if (typeof options.look !== 'string') {
    const any = await store.writeStatement(ANY_OF_SUBJECTS, dueParameters('postgres', { ...options, limit: 1 }))
    if (any.length === 0) return []
  }
  return await store.writeStatement(claimBy(options.look), dueParameters('postgres', options))
}

/**
 * Takes one workflow that nobody has had yet, as `owned` with its id and its first token. Not while somebody else is
 * claiming it, when it was cancelled, while others of its subject are due before it, or without the subject's lock.
 *
 * Who is about to give the lock back still has it here: to wait for the end of his transaction would hold up whatever this
 * engine writes, and what he leaves behind, which is older, would be overtaken.
 *
 * $1 the workflow · $2 its first token · $3 the engine · $4 the time
 */
export const CLAIM_NEW = `with new as (
    select w.id, '${subjectLock('')}' || w.subject as lock from workflows w
    where w.id = $1 and w.status = 'pending' and w.fence = $2 - 1 and w.cancel_reason is null
      and not exists (select o.id from workflows o where o.subject = w.subject and o.id <> w.id
        and o.status in ('pending', 'waiting', 'held') and o.wake_at <= $4)
      and not exists (select l.name from workflow_locks l where l.name = '${subjectLock('')}' || w.subject)
    for update of w skip locked),
  taken as (insert into workflow_locks (name, workflow_id, at) select lock, id, $4 from new
    on conflict (name) do nothing returning workflow_id),
  owned as (update workflows set status = 'running', owner = $3, fence = $2, wake_at = null, reason = null, updated_at = $4
    where id = $1 and exists (select workflow_id from taken) returning id, fence)`
