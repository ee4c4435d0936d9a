import {
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
} from 'kysely'

import { StoreWriteBrokenError } from '../errors.ts'
import type { SqliteConnection } from './connection.ts'

/** What the dialect needs of a connection. */
export type SqliteSession = Pick<SqliteConnection, 'exec' | 'query' | 'inTransaction'>

/**
 * Kysely on one SQLite connection. Who may use it when is decided outside.
 *
 * `transactions` says what a transaction of Kysely is: `snapshot` is a read transaction of its own, `savepoint` a part
 * of the transaction that the group commit has begun.
 */
export class NodeSqliteDialect implements Dialect {
  readonly #session: SqliteSession
  readonly #transactions: 'snapshot' | 'savepoint'

  constructor(session: SqliteSession, { transactions }: { transactions: 'snapshot' | 'savepoint' }) {
    this.#session = session
    this.#transactions = transactions
  }

  createAdapter(): DialectAdapter {
    return new NodeSqliteAdapter()
  }

  createDriver(): Driver {
    return this.#transactions === 'savepoint' ? new SavepointDriver(this.#session) : new SnapshotDriver(this.#session)
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db)
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler()
  }
}

/** Tables made inside a transaction are gone when it is rolled back, so migrations run in one. */
class NodeSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

/**
 * A failed write could not be undone alone: the savepoint could not be rolled back. The transaction around it must not
 * be committed. `cause` is the reason.
 */
export class SavepointLostError extends Error {}

class SavepointDriver implements Driver {
  readonly #session: SqliteSession

  constructor(session: SqliteSession) {
    this.#session = session
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<WriteConnection> {
    return new WriteConnection(this.#session)
  }

  async beginTransaction(): Promise<void> {
    this.#session.exec('savepoint one')
  }

  async commitTransaction(connection: WriteConnection): Promise<void> {
    connection.end()
    this.#session.exec('release one')
  }

  async rollbackTransaction(connection: WriteConnection): Promise<void> {
    connection.close()
    // SQLite ends the whole transaction by itself when the disk is full or fails.
    if (!this.#session.inTransaction) return
    try {
      this.#session.exec('rollback to one; release one')
    } catch (error) {
      throw new SavepointLostError('A write could not be rolled back.', { cause: error })
    }
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

class SnapshotDriver implements Driver {
  readonly #session: SqliteSession
  readonly #connection: PlainConnection

  constructor(session: SqliteSession) {
    this.#session = session
    this.#connection = new PlainConnection(session)
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async beginTransaction(): Promise<void> {
    this.#session.exec('begin')
  }

  async commitTransaction(): Promise<void> {
    this.#session.exec('commit')
  }

  async rollbackTransaction(): Promise<void> {
    if (this.#session.inTransaction) this.#session.exec('rollback')
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

class PlainConnection implements DatabaseConnection {
  readonly #session: SqliteSession

  constructor(session: SqliteSession) {
    this.#session = session
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes, insertId } = this.#session.query(sql, parameters)
    return { rows: rows as R[], numAffectedRows: BigInt(changes), insertId: BigInt(insertId) }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }
}

/**
 * The connection as one write sees it.
 *
 *   open ──statement fails──▶ broken ──▶ closed
 *     └────released or rolled back────────▶ closed
 *
 * Invariant: a write that is broken or closed reaches the database no more. PostgreSQL does the same by itself.
 */
class WriteConnection extends PlainConnection {
  #failure: { readonly cause: unknown } | undefined
  #closed = false

  override async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#closed) throw new Error('This write has ended: its handle cannot be used any more.')
    this.#refuseBroken()
    try {
      return await super.executeQuery<R>(query)
    } catch (error) {
      this.#failure = { cause: error }
      throw error
    }
  }

  /** Ends a write that is to be kept. @throws StoreWriteBrokenError */
  end(): void {
    this.#closed = true
    this.#refuseBroken()
  }

  close(): void {
    this.#closed = true
  }

  #refuseBroken(): void {
    if (this.#failure !== undefined) throw new StoreWriteBrokenError(this.#failure)
  }
}
