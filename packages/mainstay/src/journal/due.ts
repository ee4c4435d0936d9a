import { sql, type SelectQueryBuilder } from 'kysely'

import type { Queries, Schema, WorkflowTable } from '../store/index.ts'
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

type Tables = Schema & { w: WorkflowTable }

export interface DueWorkflow {
  readonly id: string
  readonly subject: string
  readonly created_at: number
  readonly cancel_reason: string | null
}

/**
 * Workflows that an engine may take, oldest first: new ones whose subject is free, sleeping ones whose time has come,
 * and running ones whose owner is dead or is this engine without knowing it. New ones that were cancelled do not wait for
 * their subject: they only end.
 */
export function dueWorkflows(queries: Queries, options: DueOptions): SelectQueryBuilder<Tables, 'w', DueWorkflow> {
  const { engine, names, running, now, limit } = options
  return queries
    .selectFrom('workflows as w')
    .select(['w.id', 'w.subject', 'w.created_at', 'w.cancel_reason'])
    .where('w.name', 'in', [...names])
    .where((eb) =>
      eb.or([
        eb.and([
          eb('w.status', '=', 'pending'),
          eb('w.wake_at', '<=', now),
          eb.or([
            eb('w.cancel_reason', 'is not', null),
            eb.not(
              eb.exists(
                eb
                  .selectFrom('workflow_locks as l')
                  .select('l.name')
                  .whereRef('l.name', '=', subjectLockOf('w.subject')),
              ),
            ),
          ]),
        ]),
        eb.and([eb('w.status', 'in', ['waiting', 'held']), eb('w.wake_at', '<=', now)]),
        eb.and([
          eb('w.status', '=', 'running'),
          // Also not those whose record names an older lease of this engine, while they are still leaving.
          ...(running.size === 0 ? [] : [eb('w.id', 'not in', [...running])]),
          eb.or([
            // Ours by the record, but this process let go of it: the store was away when it should have been parked.
            eb('w.owner', '=', engine),
            eb.not(
              eb.exists(
                eb
                  .selectFrom('engines as e')
                  .select('e.id')
                  .whereRef('e.id', '=', 'w.owner')
                  .where('e.lease_until', '>=', now),
              ),
            ),
          ]),
        ]),
      ]),
    )
    .orderBy('w.created_at')
    .orderBy('w.id')
    .limit(limit)
}

function subjectLockOf(column: string): ReturnType<typeof sql<string>> {
  return sql<string>`${sql.lit(subjectLock(''))} || ${sql.ref(column)}`
}
