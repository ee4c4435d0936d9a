import type { Kysely } from 'kysely'

import type { Columns, ListQuery, ValuesOf } from './list-query.ts'
import type { Schema } from './schema.ts'

/** A handle for queries. The one that {@link Store.write} passes on is valid until its work returns. */
export type Queries = Kysely<Schema>

/**
 * The database of the product, whichever it is.
 *
 * Reads see only what is committed. Writes are atomic and durable: when `write` resolves, the change survives a power
 * cut; when it rejects, nothing of it was kept, but for one case. On PostgreSQL a `StoreUnavailableError` may mean that
 * the answer to the commit was lost and all of the change was kept: whoever repeats looks first, or writes what can be
 * written twice.
 */
export interface Store {
  readonly kind: 'sqlite' | 'postgres'
  /** For reading outside of a write. */
  readonly read: Queries
  /**
   * The rows of a list, outside of a write, as cheaply as the driver can: only the values, without a query builder and
   * without an object for each row on the way.
   *
   * @throws StoreUnavailableError, StoreCorruptError
   */
  readList<Listed extends Columns>(query: ListQuery<Listed>): Promise<ValuesOf<Listed>[]>
  /**
   * Runs `work` in one transaction. `work` talks to nothing but the database and may run again where it certainly
   * was not kept, as after a deadlock, so it has no other effects. A statement that fails ends the write, also when `work` catches the
   * error. The handle is dead once `work` has settled.
   *
   * @throws StoreUnavailableError, StoreFullError, StoreCorruptError, StoreConflictError, StoreWorkStuckError,
   * StoreWriteBrokenError, StoreNestedWriteError, ShutdownError after `close`, or what `work` threw
   */
  write<T>(work: (queries: Queries) => Promise<T>): Promise<T>
  /** Brings the schema up to date. Safe to call from several processes. @returns names of the migrations that ran */
  migrate(): Promise<string[]>
  /**
   * Runs one statement that changes something, atomic by itself: on PostgreSQL one round trip instead of three.
   *
   * @returns the rows that the statement returns
   * @throws as {@link Store.write}
   */
  writeStatement<Row>(sql: string, parameters: readonly unknown[]): Promise<Row[]>
  /** Names of the migrations that {@link Store.migrate} would run. */
  pendingMigrations(): Promise<string[]>
  /** The name of the newest migration that has run. */
  version(): Promise<string | undefined>
  close(): Promise<void>
}
