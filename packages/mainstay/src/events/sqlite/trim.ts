import { nextTurn } from '../../core/turn.ts'
import type { SqliteConnection } from '../../store/sqlite/connection.ts'
import { firstTakenIn, type RepeatWindow, type RetentionOptions } from '../retention.ts'
import { saveState, type LogState } from './tables.ts'

/** Rows that are deleted in one transaction and one turn of the event loop. */
const CHUNK = 1000

export interface TrimRules {
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  readonly retention: RetentionOptions
  readonly repeats: RepeatWindow
}

/**
 * Drops what the rules do not keep, oldest first, a little in each turn: first events, then ids whose event is gone and
 * whose repeats are no longer recognised.
 *
 * Yields after each transaction what is true then; the caller takes it over before anything else happens.
 */
export async function* trimTables(
  connection: SqliteConnection,
  state: () => LogState,
  { now, retention, repeats }: TrimRules,
): AsyncGenerator<{ state: LogState; idsFrom: number }> {
  let idsFrom = firstIds(connection) ?? state().head + 1
  const takenInAt = (seq: number): number | undefined =>
    connection.query('select at from ids where seq = ?', [seq]).rows[0]?.['at'] as number | undefined
  const { head, oldest } = state()
  const young = await firstTakenIn({ oldest, head }, now - retention.maxAgeMs, takenInAt)
  const keepFrom = Math.max(young, head - retention.maxEvents + 1)
  for (;;) {
    const next = dropEvents(connection, state(), { keepFrom, maxBytes: retention.maxBytes })
    if (next === undefined) break
    yield { state: next, idsFrom }
    await nextTurn()
  }
  const known = await firstTakenIn({ oldest: idsFrom, head }, now - repeats.ms, takenInAt)
  const idsKeepFrom = Math.min(state().oldest, Math.max(known, head - repeats.events + 1))
  while (idsFrom < idsKeepFrom) {
    const last = Math.min(idsKeepFrom - 1, idsFrom + CHUNK - 1)
    connection.query('delete from ids where seq <= ?', [last])
    idsFrom = last + 1
    yield { state: state(), idsFrom }
    await nextTurn()
  }
}

/** @returns the state after it, undefined when there was nothing to drop */
function dropEvents(
  connection: SqliteConnection,
  state: LogState,
  { keepFrom, maxBytes }: { keepFrom: number; maxBytes: number },
): LogState | undefined {
  const rows = connection.query('select seq, bytes from ids where seq >= ? order by seq limit ?', [
    state.oldest,
    Math.min(CHUNK, state.head - state.oldest + 1),
  ]).rows as { seq: number; bytes: number }[]
  let { oldest, bytes } = state
  for (const row of rows) {
    if (row.seq >= keepFrom && bytes <= maxBytes) break
    oldest = row.seq + 1
    bytes -= row.bytes
  }
  if (oldest === state.oldest) return undefined
  const next = { ...state, oldest, bytes }
  connection.exec('begin immediate')
  try {
    connection.query('delete from events where seq < ?', [oldest])
    saveState(connection, next)
    connection.exec('commit')
  } catch (error) {
    if (connection.inTransaction) connection.exec('rollback')
    throw error
  }
  return next
}

function firstIds(connection: SqliteConnection): number | undefined {
  const first = connection.query('select min(seq) as first from ids', []).rows[0]?.['first']
  return typeof first === 'number' ? first : undefined
}
