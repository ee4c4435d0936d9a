import { toJson } from '../core/json.ts'
import type { Store } from '../store/index.ts'
import { subjectLock } from './locks.ts'

/**
 * Where an engine looks for work, from the widest to the narrowest: each sees all that those after it see.
 *
 * - `everywhere`: also workflows whose owner is dead, which only time brings
 * - `waking`: new ones, and sleeping ones whose time has come
 * - a list: the same of these subjects, whatever else there is
 */
export type Look = 'everywhere' | 'waking' | readonly string[]

type LookKind = 'everywhere' | 'waking' | 'subjects'

/** One statement for each kind of look, each made once. @returns which of them serves a look */
export function byLook(statement: (kind: LookKind) => string): (look: Look) => string {
  const statements = {
    everywhere: statement('everywhere'),
    waking: statement('waking'),
    subjects: statement('subjects'),
  }
  return (look) => statements[typeof look === 'string' ? look : 'subjects']
}

export interface DueOptions {
  readonly engine: string
  /** The workflows that the engine knows. */
  readonly names: readonly string[]
  /** Ids that the engine is running at the moment, or leaves alone for a while. */
  readonly running: ReadonlySet<string>
  readonly now: number
  readonly limit: number
  readonly look: Look
}

export interface DueWorkflow {
  readonly id: string
  readonly subject: string
  readonly created_at: number
  readonly cancel_reason: string | null
}

/**
 * Workflows that an engine may take, oldest first: new ones, sleeping ones whose time has come, and, everywhere, running
 * ones whose owner is dead or is this engine without knowing it. All of them only while no other workflow has their
 * subject's lock, except for those that were cancelled: they only end. Whether the lock is really to be had shows when
 * it is taken.
 *
 * One text for each kind of look, with lists as one parameter each: so each database parses and plans it once. Only the
 * widest needs two ways into the table, which is dear: it also reads what ended since the last vacuum.
 *
 * @returns SQL with the parameters of {@link dueParameters}
 */
export function dueWorkflows(store: Store['kind'], kind: LookKind): string {
  const [names, engine, now, limit, list] = PLACES.map((place) => (store === 'postgres' ? `$${place}` : `?${place}`))
  const isOneOf = (values: string): string =>
    store === 'postgres' ? `= any(${values}::text[])` : `in (select value from json_each(${values}))`
  const waking = `w.status in ('pending', 'waiting', 'held') and w.wake_at <= ${now}`
  // Also not those whose record names an older lease of this engine, while they are still leaving. Ours by the record
  // is what this process let go of: the store was away when it should have been parked.
  const abandoned = `w.status = 'running' and not (w.id ${isOneOf(list!)}) and (w.owner = ${engine}
    or not exists (select e.id from engines e where e.id = w.owner and e.lease_until >= ${now}))`
  const where = {
    everywhere: `((${waking}) or (${abandoned}))`,
    waking,
    subjects: `w.subject ${isOneOf(list!)} and ${waking}`,
  }
  return `select w.id, w.subject, w.created_at, w.cancel_reason from workflows w
    where w.name ${isOneOf(names!)} and ${where[kind]}
    and (w.cancel_reason is not null or not exists (
      select l.name from workflow_locks l where l.name = '${subjectLock('')}' || w.subject and l.workflow_id <> w.id))
    order by w.created_at, w.id limit ${limit}`
}

const PLACES = [1, 2, 3, 4, 5]

/** What {@link dueWorkflows} asks for, in its order. SQLite takes a list as JSON. */
export function dueParameters(kind: Store['kind'], options: DueOptions): unknown[] {
  const { names, running, engine, now, limit, look } = options
  const list = (values: Iterable<string>): unknown => (kind === 'postgres' ? [...values] : toJson([...values]))
  const parameters = [list(names), engine, now, limit]
  return look === 'waking' ? parameters : [...parameters, list(look === 'everywhere' ? running : look)]
}
