import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'

import { explainSqliteError } from './explain-error.ts'

export interface SqliteOptions {
  /** The database file, or `:memory:`. */
  readonly path: string
  readonly readOnly?: boolean
  /** How long another process's lock is waited for. The whole process waits: keep it short once it serves. */
  readonly busyTimeoutMs?: number
}

export type SqliteRow = Record<string, unknown>

interface Prepared {
  readonly statement: StatementSync
  /** Names of what it returns; empty when it returns nothing. */
  readonly columns: readonly string[]
}

/** Statements are compiled once; the least recently used is dropped beyond this many. */
const MAX_STATEMENTS = 500

/**
 * One connection to a SQLite file. This is the only file that knows `node:sqlite`.
 *
 * Everything is synchronous underneath. Rows come with an ordinary prototype and booleans are bound as 0 and 1.
 */
export class SqliteConnection {
  readonly path: string
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, Prepared>()

  /** @throws StoreUnavailableError, StoreFullError, StoreCorruptError */
  constructor({ path, readOnly = false, busyTimeoutMs = 5000 }: SqliteOptions) {
    this.path = path
    this.#database = this.#explained(() => new DatabaseSync(path, { readOnly, timeout: busyTimeoutMs }))
    try {
      if (!readOnly) this.exec('pragma journal_mode = wal')
      this.exec('pragma synchronous = full; pragma foreign_keys = on; pragma temp_store = memory')
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction
  }

  /** Runs statements that return nothing. */
  exec(sql: string): void {
    this.#explained(() => this.#database.exec(sql))
  }

  /** Runs one statement and returns its rows, or how many it changed. */
  query(sql: string, parameters: readonly unknown[]): { rows: SqliteRow[]; changes: number; insertId: number } {
    return this.#explained(() => {
      const { statement, columns } = this.#prepare(sql)
      const values = parameters.map(toSqlite)
      if (columns.length > 0) {
        const rows = statement.all(...values).map((row) => named(columns, row as unknown as readonly unknown[]))
        return { rows, changes: rows.length, insertId: 0 }
      }
      const { changes, lastInsertRowid } = statement.run(...values)
      return { rows: [], changes: Number(changes), insertId: Number(lastInsertRowid) }
    })
  }

  /** Runs one query and returns the values of its rows, in the order of the columns. */
  values(sql: string, parameters: readonly unknown[]): (readonly unknown[])[] {
    return this.#explained(() => {
      return this.#prepare(sql).statement.all(...parameters.map(toSqlite)) as unknown as (readonly unknown[])[]
    })
  }

  set busyTimeoutMs(timeoutMs: number) {
    this.exec(`pragma busy_timeout = ${Math.trunc(timeoutMs)}`)
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #prepare(sql: string): Prepared {
    const known = this.#statements.get(sql)
    if (known !== undefined) {
      this.#statements.delete(sql)
      this.#statements.set(sql, known)
      return known
    }
    const statement = this.#database.prepare(sql)
    const prepared = { statement, columns: statement.columns().map(({ name }) => name) }
    // As arrays rows come several times faster, because no object without a prototype has to be copied.
    statement.setReturnArrays(true)
    this.#statements.set(sql, prepared)
    if (this.#statements.size > MAX_STATEMENTS) {
      const [oldest] = this.#statements.keys()
      this.#statements.delete(oldest!)
    }
    return prepared
  }

  #explained<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw explainSqliteError(error, this.path)
    }
  }
}

function named(columns: readonly string[], values: readonly unknown[]): SqliteRow {
  const row: SqliteRow = {}
  for (let index = 0; index < columns.length; index += 1) row[columns[index]!] = values[index]
  return row
}

function toSqlite(value: unknown): SQLInputValue {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value === undefined) return null
  return value as SQLInputValue
}
