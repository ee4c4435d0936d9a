import { toJson } from '../core/json.ts'
import type { Store } from '../store/index.ts'
import { subjectLock } from './locks.ts'

export interface DueOptions {
  readonly engine: string
  /** The workflows that the engine knows. */
  readonly names: readonly string[]
  /** Ids that the engine is running at the moment, or leaves alone for a while. */
  readonly running: ReadonlySet<string>
  readonly now: number
  readonly limit: number
}

export interface DueWorkflow {
  readonly id: string
  readonly subject: string
  readonly created_at: number
  readonly cancel_reason: string | null
}

/**
 * Workflows that an engine may take, oldest first: new ones, sleeping ones whose time has come, and running ones whose
 * owner is dead or is this engine without knowing it. All of them only while no other workflow has their subject's lock,
 * except for those that were cancelled: they only end. Whether the lock is really to be had shows when it is taken.
 *
 * One text for every question, with lists as one parameter each: so each database parses and plans it once.
 *
 * @returns SQL with the parameters of {@link dueParameters}
 */
export function dueWorkflows(kind: Store['kind']): string {
  const [names, running, engine, now, limit] = PLACES.map((place) => (kind === 'postgres' ? `$${place}` : `?${place}`))
  const isOneOf = (list: string): string =>
    kind === 'postgres' ? `= any(${list}::text[])` : `in (select value from json_each(${list}))`
  return `select w.id, w.subject, w.created_at, w.cancel_reason from workflows w
    where w.name ${isOneOf(names!)} and (
      (w.status in ('pending', 'waiting', 'held') and w.wake_at <= ${now})
      -- Also not those whose record names an older lease of this engine, while they are still leaving.
      or (w.status = 'running' and not (w.id ${isOneOf(running!)})
        -- Ours by the record, but this process let go of it: the store was away when it should have been parked.
        and (w.owner = ${engine}
          or not exists (select e.id from engines e where e.id = w.owner and e.lease_until >= ${now}))))
    and (w.cancel_reason is not null or not exists (
      select l.name from workflow_locks l where l.name = '${subjectLock('')}' || w.subject and l.workflow_id <> w.id))
    order by w.created_at, w.id limit ${limit}`
}

const PLACES = [1, 2, 3, 4, 5]

/** What {@link dueWorkflows} asks for, in its order. SQLite takes a list as JSON. */
export function dueParameters(kind: Store['kind'], { names, running, engine, now, limit }: DueOptions): unknown[] {
  const lists = [[...names], [...running]]
  return [...(kind === 'postgres' ? lists : lists.map(toJson)), engine, now, limit]
}
