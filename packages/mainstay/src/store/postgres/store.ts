import { AbortedTransactionError, Kysely, PostgresDialect, sql, type PostgresPool } from 'kysely'
import { Pool, types } from 'pg'

import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import { maskUrl } from '../../core/logging.ts'
import { ShutdownError } from '../../core/errors.ts'
import { StoreWriteBrokenError } from '../errors.ts'
import type { Columns, ListQuery, ValuesOf } from '../list-query.ts'
import { currentVersion, migrateToLatest, pendingMigrations } from '../migrate.ts'
import type { Schema } from '../schema.ts'
import type { Queries, Store } from '../store.ts'
import { DEFAULT_MIGRATION_TIMEOUT_MS, DEFAULT_WORK_TIMEOUT_MS, refuseNestedWrite, runWork } from '../write-scope.ts'
import { isWorthRepeating } from './explain-error.ts'
import { guardedPool } from './guarded-pool.ts'
import { packedQuery, plainQuery, unpack, type PackedPage } from './packed-rows.ts'

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  readonly clock: Clock
  readonly logger: Logger
  /** The most connections of this process. */
  readonly maxConnections?: number
  readonly connectTimeoutMs?: number
  /** The longest that one statement may take. */
  readonly statementTimeoutMs?: number
  /** The longest that the work of one write may take. */
  readonly workTimeoutMs?: number
  /** The longest that {@link PostgresStore.migrate} may take. */
  readonly migrationTimeoutMs?: number
}

export const DEFAULT_CONNECT_TIMEOUT_MS = 5000

export const DEFAULT_STATEMENT_TIMEOUT_MS = 30_000

/** int8 arrives as text unless told otherwise; all of ours are well below 2^53. */
const INT8 = types.builtins.INT8

/** Attempts of one write after a deadlock or a lost connection. Source: ha-api.md 19. */
const WRITE_ATTEMPTS = 5

const FIRST_REPEAT_MS = 20

/** The key of the lock under which processes that start together migrate one after the other: "mainstay" in ASCII. */
const MIGRATION_LOCK = '7881696745979404665'

/** How much longer than the server we wait for the end of a statement: only a dead network makes this matter. */
const NETWORK_GRACE_MS = 5000

/**
 * How the server plans what we ask. It keeps the plans of statements that come often until the table's next analysis, also
 * one that was made when the table was a few pages and is cheapest read whole. All that we ask often has an index, so no
 * plan reads a whole table where one can serve. What must be read whole counts as very dear then, and would be compiled
 * first if that were on. An address with `options` of its own replaces both.
 *
 * Source: PostgreSQL's manual, "Planner Method Configuration" and "PREPARE".
 */
const PLANNER_OPTIONS = '-c enable_seqscan=off -c jit=off'

/** The store for many machines. */
export class PostgresStore implements Store {
  readonly kind = 'postgres'
  readonly read: Queries
  readonly #pool: PostgresPool
  readonly #clock: Clock
  readonly #workTimeoutMs: number
  readonly #migrationTimeoutMs: number
  readonly #running = new Set<Promise<unknown>>()
  #closed = false

  private constructor(
    pool: PostgresPool,
    { clock, workTimeoutMs, migrationTimeoutMs }: { clock: Clock; workTimeoutMs: number; migrationTimeoutMs: number },
  ) {
    this.read = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
    this.#pool = pool
    this.#clock = clock
    this.#workTimeoutMs = workTimeoutMs
    this.#migrationTimeoutMs = migrationTimeoutMs
  }

  /** Connects when first used. */
  static open(options: PostgresStoreOptions): PostgresStore {
    const { url, clock, logger, maxConnections = 16 } = options
    const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, statementTimeoutMs = DEFAULT_STATEMENT_TIMEOUT_MS } = options
    const { workTimeoutMs = DEFAULT_WORK_TIMEOUT_MS, migrationTimeoutMs = DEFAULT_MIGRATION_TIMEOUT_MS } = options
    const pool = new Pool({
      connectionString: url,
      options: PLANNER_OPTIONS,
      max: maxConnections,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      statement_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + NETWORK_GRACE_MS,
      // Should this process be paused in the middle of a write, the server must not hold its locks for ever.
      idle_in_transaction_session_timeout: workTimeoutMs + NETWORK_GRACE_MS,
      types: {
        getTypeParser: (oid, format) =>
          oid === INT8
            ? (text: string) => Number(text)
            : (types.getTypeParser(oid, format) as (text: string) => unknown),
      },
    })
    const onLost = (error: Error): void =>
      logger.warn({ err: error }, 'A PostgreSQL connection was lost; it is replaced.')
    pool.on('error', onLost)
    // The pool hears its idle clients only. One that is lost in the middle of a write would end the process.
    pool.on('connect', (client) => client.on('error', onLost))
    return new PostgresStore(guardedPool(pool, maskUrl(url)), { clock, workTimeoutMs, migrationTimeoutMs })
  }

  async readList<Listed extends Columns>(query: ListQuery<Listed>): Promise<ValuesOf<Listed>[]> {
    const packed = packedQuery(query)
    const [page = { count: 0, page: null }] = await this.#query<PackedPage>(packed.sql, packed.parameters)
    return unpack(page, query.columns) ?? (await this.#readPlainly(query))
  }

  async #readPlainly<Listed extends Columns>(query: ListQuery<Listed>): Promise<ValuesOf<Listed>[]> {
    const rows = await this.#query<Record<string, unknown>>(plainQuery(query), query.parameters)
    return rows.map((row) => query.columns.map(([name]) => row[name]) as unknown as ValuesOf<Listed>)
  }

  /** One query without the query builder around it. */
  async #query<Row>(text: string, parameters: readonly unknown[]): Promise<Row[]> {
    const client = await this.#pool.connect()
    try {
      return (await client.query<Row>(text, parameters)).rows
    } finally {
      client.release()
    }
  }

  async write<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    return await this.#track(async () => await this.#writeOnce(work))
  }

  async writeStatement<Row>(statement: string, parameters: readonly unknown[]): Promise<Row[]> {
    return await this.#track(async () => await this.#query<Row>(statement, parameters))
  }

  async migrate(): Promise<string[]> {
    return await this.#writeOnce(async (queries) => {
      // Before anything else: even "create table if not exists" fails when two do it at once.
      await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(queries)
      return await migrateToLatest(queries, 'postgres')
    }, this.#migrationTimeoutMs)
  }

  async pendingMigrations(): Promise<string[]> {
    return await pendingMigrations(this.read)
  }

  async version(): Promise<string | undefined> {
    return await currentVersion(this.read)
  }

  async close(): Promise<void> {
    this.#closed = true
    // The pool gives no connection any more once it ends, and those who wait for one would wait for their time-out.
    await Promise.allSettled(this.#running)
    await this.read.destroy()
  }

  /** Runs a write, again after a deadlock, and lets {@link PostgresStore.close} wait for it. */
  async #track<T>(write: () => Promise<T>): Promise<T> {
    refuseNestedWrite()
    if (this.#closed) throw new ShutdownError('A change of the database')
    const writing = this.#repeat(write)
    this.#running.add(writing)
    try {
      return await writing
    } finally {
      this.#running.delete(writing)
    }
  }

  async #repeat<T>(write: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await write()
      } catch (error) {
        if (attempt >= WRITE_ATTEMPTS || !isWorthRepeating(error)) throw error
        await this.#clock.sleep(FIRST_REPEAT_MS * 2 ** (attempt - 1))
      }
    }
  }

  async #writeOnce<T>(work: (queries: Queries) => Promise<T>, timeoutMs = this.#workTimeoutMs): Promise<T> {
    const bounds = { clock: this.#clock, timeoutMs }
    try {
      return await this.read.transaction().execute((queries) => runWork(queries, work, bounds))
    } catch (error) {
      if (error instanceof AbortedTransactionError) throw new StoreWriteBrokenError({ cause: error })
      throw error
    }
  }
}
