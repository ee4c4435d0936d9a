import { sql, type RawBuilder } from 'kysely'

import { InvalidInputError } from '../core/errors.ts'
import type { Store } from '../store/index.ts'

export interface PurgeOptions {
  /** Only what has not changed for this many days; at least 0, less than the days since the epoch. */
  readonly ageInDays: number
  /** The most rows in all; -1 for no bound, never 0. */
  readonly maxRows: number
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number
  /** Counts without removing. */
  readonly dryRun?: boolean
}

export type PurgedTable = 'vmoves' | 'notifications' | 'hosts' | 'failover_segments'

const DAY_MS = 86_400_000
const ROWS_PER_WRITE = 1000

/** Children before their parents. */
const TABLES: readonly PurgedTable[] = ['vmoves', 'notifications', 'hosts', 'failover_segments']

/**
 * Removes what was deleted long ago, and notifications that ended long ago with their moves.
 *
 * Source: ha-api.md 22. That the moves of a purged notification go with it is ours: nothing could reach them any more.
 *
 * @returns how many rows of each table were removed, or would be
 * @throws InvalidInputError when an option is out of range
 */
export async function purge(store: Store, options: PurgeOptions): Promise<Record<PurgedTable, number>> {
  const { ageInDays, maxRows, nowMs, dryRun = false } = options
  checkRange(options)
  const before = nowMs - ageInDays * DAY_MS
  const removed: Record<PurgedTable, number> = { vmoves: 0, notifications: 0, hosts: 0, failover_segments: 0 }
  let left = maxRows === -1 ? Number.MAX_SAFE_INTEGER : maxRows
  for (const table of TABLES) {
    removed[table] = dryRun ? await count(store, table, before, left) : await remove(store, table, before, left)
    left -= removed[table]
  }
  return removed
}

function checkRange({ ageInDays, maxRows, nowMs }: PurgeOptions): void {
  if (!Number.isInteger(maxRows) || maxRows < -1 || maxRows === 0) {
    throw new InvalidInputError(`max_rows is ${maxRows}: give -1 for no bound, or at least 1.`)
  }
  const longest = Math.floor(nowMs / DAY_MS)
  if (!Number.isInteger(ageInDays) || ageInDays < 0 || ageInDays >= longest) {
    throw new InvalidInputError(`age_in_days is ${ageInDays}: give at least 0 and less than ${longest}.`)
  }
}

async function count(store: Store, table: PurgedTable, before: number, limit: number): Promise<number> {
  const query = sql<{
    found: number
  }>`select count(*) as found from ${sql.table(table)} where ${condition(table, before)}`
  const { rows } = await query.execute(store.read)
  return Math.min(limit, rows[0]?.found ?? 0)
}

async function remove(store: Store, table: PurgedTable, before: number, limit: number): Promise<number> {
  let total = 0
  for (;;) {
    const batch = Math.min(ROWS_PER_WRITE, limit - total)
    if (batch <= 0) return total
    const removed = await store.write(async (queries) => {
      const query = sql<{ id: number }>`
        delete from ${sql.table(table)}
        where id in (select id from ${sql.table(table)} where ${condition(table, before)} order by id limit ${batch})
        returning id`
      const { rows } = await query.execute(queries)
      return rows.length
    })
    total += removed
    if (removed < batch) return total
  }
}

const ENDED = sql`status in ('finished', 'failed', 'ignored')`

function condition(table: PurgedTable, before: number): RawBuilder<boolean> {
  switch (table) {
    case 'vmoves':
      return sql<boolean>`(deleted_at < ${before} or notification_uuid in (
        select notification_uuid from notifications where updated_at < ${before} and ${ENDED}))`
    case 'notifications':
      return sql<boolean>`updated_at < ${before} and ${ENDED}`
    case 'hosts':
      return sql<boolean>`deleted_at < ${before}`
    case 'failover_segments':
      return sql<boolean>`deleted_at < ${before} and uuid not in (select failover_segment_id from hosts)`
    default:
      return table satisfies never
  }
}
