import type { SqliteConnection } from '../../store/sqlite/connection.ts'

/**
 * The tables of `events.db`. `events` is what is replayed: finished texts by place. `ids` says which ids a place has,
 * and outlives its event while repeats of it are recognised. `state` is one row: what is true after every commit.
 */
const TABLES = `
  create table if not exists events (
    seq integer primary key,
    text text not null
  );
  create table if not exists ids (
    seq integer primary key,
    at integer not null,
    bytes integer not null,
    source_id text not null,
    id text not null
  );
  create table if not exists state (
    one integer primary key check (one = 1),
    format integer not null,
    epoch text not null,
    oldest integer not null,
    head integer not null,
    at integer not null,
    bytes integer not null,
    unflushed_boot text
  );`

/** Raised when the tables change; a file of another format is refused. */
export const FORMAT = 1

/** What the row of `state` says. */
export interface LogState {
  readonly epoch: string
  /** `head + 1` when no event is kept. */
  readonly oldest: number
  readonly head: number
  /** When the last event was taken in, in milliseconds since the Unix epoch; never goes back. */
  readonly at: number
  /** Of all texts. */
  readonly bytes: number
  /** The run of the machine that wrote without flushing each commit and did not close the file. */
  readonly unflushedBoot: string | null
}

/** Makes the tables if they are missing and reads the state. */
export function openTables(
  connection: SqliteConnection,
  newEpoch: () => string,
): LogState & { readonly format: number } {
  connection.exec(TABLES)
  connection.query(
    'insert into state (one, format, epoch, oldest, head, at, bytes) values (1, ?, ?, 1, 0, 0, 0) on conflict do nothing',
    [FORMAT, newEpoch()],
  )
  const [row] = connection.query(
    'select format, epoch, oldest, head, at, bytes, unflushed_boot as "unflushedBoot" from state',
    [],
  ).rows
  return row as unknown as LogState & { readonly format: number }
}

export function saveState(connection: SqliteConnection, state: LogState): void {
  const { epoch, oldest, head, at, bytes, unflushedBoot } = state
  connection.query('update state set epoch = ?, oldest = ?, head = ?, at = ?, bytes = ?, unflushed_boot = ?', [
    epoch,
    oldest,
    head,
    at,
    bytes,
    unflushedBoot,
  ])
}
