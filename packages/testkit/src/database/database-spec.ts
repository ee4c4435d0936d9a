import type { Row } from '../spec.ts'

export type DatabaseEngineName = 'sqlite' | 'postgres' | 'mysql' | 'redis'

/** What a migration is given. */
export interface MigrationContext {
  /** The database to migrate: empty, and nobody else's. */
  readonly url: string
  /** Its file, for SQLite. */
  readonly path: string
  readonly dir: string
}

/** The database of a server. Source: testkit.md A6. */
export interface DatabaseSpec {
  readonly engine: DatabaseEngineName
  /**
   * A database server, or one named database on it. Without a name a fresh `t_…` database is made. Overridden by the
   * start override `dbUrl`, then by MAINSTAY_TEST_DATABASE_URL. Default for SQLite: a file in the server's data folder.
   *
   * What is named is emptied: its name (of a SQLite file: the file's name) must begin with `t_`, `test_` or
   * `mainstay_test_`, unless it lies in the cluster's own folder. Two servers cannot be given the same: use `shareWith`.
   */
  readonly url?: string | (() => string)
  /**
   * Makes the schema: a function, or a command in which `%(dbUrl)s` and `%(dbPath)s` are replaced. A command also has the
   * URL in its environment as `DATABASE_URL` (for PostgreSQL in `PGHOST`, `PGPASSWORD` … too). Take it from there when it has
   * a password: command lines can be read by every user of the machine.
   */
  readonly migrate: ((ctx: MigrationContext) => Promise<void>) | readonly string[]
  /**
   * What the schema is made from, files and folders: a change of them makes a new template. Empty: the text of `migrate`
   * alone decides. Without it there is no template and `migrate` runs every time: what a command reads, and what a function
   * has caught from around it, cannot be seen.
   */
  readonly sources?: readonly (string | URL)[]
  /** false: migrate every time. A path or name: take that as template. Default: the machine-wide cache. */
  readonly template?: string | false
  /** Puts rows into each fresh copy, also after a reset. Runs every time: it is no part of the template. */
  readonly seed?: (ctx: MigrationContext) => Promise<void>
}

/** A database that belongs to one cluster. Nothing of it exists until it is reset for the first time. */
export interface ProvisionedDatabase {
  readonly engine: DatabaseEngineName
  readonly url: string
  sql(statement: string, params: readonly unknown[]): Promise<Row[]>
  /**
   * Makes it, or brings it back to the state after migration and seed. `live`: a server has it open; a SQLite file then only loses its rows, also
   * those of the migration.
   */
  reset(options: { live: boolean }): Promise<void>
  /** Closes connections opened by `sql`. */
  close(): Promise<void>
  /** Removes it, also one that is half made, unless it is a file of the cluster's folder. */
  drop(): Promise<void>
  /** For the reaper: a command that removes it when this process cannot. */
  readonly dropCommand?: { readonly command: readonly string[]; readonly env: Record<string, string> }
}
