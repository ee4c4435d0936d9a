import { CompiledQuery, Kysely } from 'kysely'

import { InvalidInputError } from '../../core/errors.ts'
import { columnNames, type Columns, type ListQuery, type ValuesOf } from '../list-query.ts'
import { currentVersion, migrateToLatest, pendingMigrations } from '../migrate.ts'
import type { Schema } from '../schema.ts'
import type { Queries, Store } from '../store.ts'
import { DEFAULT_MIGRATION_TIMEOUT_MS } from '../write-scope.ts'
import { SqliteConnection } from './connection.ts'
import { NodeSqliteDialect } from './dialect.ts'
import { GroupCommit, type GroupCommitOptions } from './group-commit.ts'

export interface SqliteStoreOptions extends GroupCommitOptions {
  /** The database file. Its directory must exist. */
  readonly path: string
  /** The longest that {@link SqliteStore.migrate} may take. */
  readonly migrationTimeoutMs?: number
}

/** How long opening waits for another process that just holds the file; the process does nothing else meanwhile. */
const OPEN_BUSY_TIMEOUT_MS = 5000

/** Once open, waiting for a lock is done between attempts, where other work goes on; see GroupCommit. */
const ATTEMPT_BUSY_TIMEOUT_MS = 5

/** The embedded store: a file in WAL mode with full sync, one writer with group commit, one reader. */
export class SqliteStore implements Store {
  readonly kind = 'sqlite'
  readonly read: Queries
  readonly #reader: SqliteConnection
  readonly #writer: SqliteConnection
  readonly #commits: GroupCommit
  readonly #migrationTimeoutMs: number

  private constructor(
    writer: SqliteConnection,
    reader: SqliteConnection,
    { migrationTimeoutMs = DEFAULT_MIGRATION_TIMEOUT_MS, ...options }: Omit<SqliteStoreOptions, 'path'>,
  ) {
    this.#migrationTimeoutMs = migrationTimeoutMs
    this.#writer = writer
    this.#reader = reader
    this.#commits = new GroupCommit(writer, options)
    this.read = new Kysely<Schema>({ dialect: new NodeSqliteDialect(reader, { transactions: 'snapshot' }) })
  }

  /** @throws InvalidInputError, StoreUnavailableError, StoreFullError, StoreCorruptError */
  static open({ path, ...options }: SqliteStoreOptions): SqliteStore {
    if (path === '' || path === ':memory:') {
      throw new InvalidInputError(
        'The database needs a file: reader and writer are two connections, and memory is not shared between them.',
      )
    }
    const busyTimeoutMs = options.busyTimeoutMs ?? OPEN_BUSY_TIMEOUT_MS
    const writer = new SqliteConnection({ path, busyTimeoutMs })
    try {
      const reader = new SqliteConnection({ path, busyTimeoutMs, readOnly: true })
      writer.busyTimeoutMs = Math.min(busyTimeoutMs, ATTEMPT_BUSY_TIMEOUT_MS)
      return new SqliteStore(writer, reader, options)
    } catch (error) {
      writer.close()
      throw error
    }
  }

  async readList<Listed extends Columns>({
    columns,
    rest,
    parameters,
  }: ListQuery<Listed>): Promise<ValuesOf<Listed>[]> {
    return this.#reader.values(`select ${columnNames(columns)} ${rest}`, parameters) as unknown as ValuesOf<Listed>[]
  }

  async write<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    return await this.#commits.write(work)
  }

  async writeStatement<Row>(statement: string, parameters: readonly unknown[]): Promise<Row[]> {
    const query = CompiledQuery.raw(statement, [...parameters])
    return await this.#commits.write(async (queries) => (await queries.executeQuery<Row>(query)).rows)
  }

  async migrate(): Promise<string[]> {
    const timeoutMs = this.#migrationTimeoutMs
    return await this.#commits.write((queries) => migrateToLatest(queries, 'sqlite'), { timeoutMs })
  }

  async pendingMigrations(): Promise<string[]> {
    return await pendingMigrations(this.read)
  }

  async version(): Promise<string | undefined> {
    return await currentVersion(this.read)
  }

  async close(): Promise<void> {
    await this.#commits.close()
    this.#reader.close()
    this.#writer.close()
  }
}
