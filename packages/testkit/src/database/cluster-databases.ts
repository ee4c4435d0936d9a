import { join } from 'node:path'
import { pauseMs } from '../clock.ts'
import { TestkitError } from '../errors.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'
import { defaultPrepareTimeoutMs } from '../server-life.ts'
import type { ManagedServer } from '../server.ts'
import type { ServerContext } from '../spec.ts'
import { DatabaseClaims, clusterWide } from './database-claims.ts'
import type { DatabaseSpec, ProvisionedDatabase } from './database-spec.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { mysqlDatabase, recreateMysql } from './mysql.ts'
import { postgresDatabase, recreatePostgres } from './postgres.ts'
import { redisDatabase } from './redis.ts'
import { sqliteDatabase } from './sqlite.ts'

/** The databases of a cluster: each made once, however often its server starts. Source: testkit.md A6. */
export class ClusterDatabases {
  readonly #dir: string
  readonly #runId: string
  readonly #reaper: ReaperClient
  readonly #cluster: DatabaseSpec | undefined
  readonly #claims: DatabaseClaims
  readonly #made = new Map<string, Promise<ProvisionedDatabase>>()
  readonly #ownPorts = new Set<number>()
  #count = 0

  constructor(options: { dir: string; runId: string; reaper: ReaperClient; cluster: DatabaseSpec | undefined }) {
    this.#dir = options.dir
    this.#runId = options.runId
    this.#reaper = options.reaper
    this.#cluster = options.cluster
    this.#claims = new DatabaseClaims(options.reaper)
  }

  /** The database of a server: its own, or the cluster's; undefined when there is neither. */
  async of(
    server: ManagedServer,
    context: ServerContext<object>,
    override: string | undefined,
  ): Promise<ProvisionedDatabase | undefined> {
    const declared = server.spec.database
    const own = declared !== undefined && !('shareWith' in declared) ? declared : undefined
    const spec = own ?? this.#cluster
    if (spec === undefined) return undefined
    const name = own === undefined ? clusterWide : server.name
    let made = this.#made.get(name)
    if (made === undefined) {
      for (const other of Object.values(context.deps))
        for (const port of Object.values(other.ports)) this.#ownPorts.add(port)
      made = this.#make(spec, { owner: name, dataDir: own === undefined ? this.#dir : context.dataDir, override })
      this.#made.set(name, made)
      // A failed migration is tried again by the next start.
      made.catch(() => this.#made.delete(name))
    }
    return await made
  }

  /** Back to the state after migration. Throws TK_DATABASE_FAILED when that takes longer than the server's preparations may. */
  async reset(server: ManagedServer): Promise<void> {
    const made = this.#made.get(this.#made.has(server.name) ? server.name : clusterWide)
    if (made === undefined)
      throw new TestkitError('TK_BAD_SPEC', `server "${server.name}" has no database of its own that was made`)
    const reset = async (): Promise<void> =>
      await (await made).reset({ live: server.pid !== undefined || server.isInline })
    const timeoutMs = server.spec.prepareTimeoutMs ?? defaultPrepareTimeoutMs
    const done = new AbortController()
    const late = async (): Promise<never> => {
      await pauseMs(timeoutMs, done.signal)
      throw new TestkitError(
        'TK_DATABASE_FAILED',
        `the database of server "${server.name}" was not reset within ${timeoutMs} ms. See what its migrate or seed waits ` +
          'for, or give it longer: prepareTimeoutMs of the server',
      )
    }
    try {
      await Promise.race([reset(), late()])
    } finally {
      done.abort()
    }
  }

  /** Closes connections; drops what was made on servers that outlive the cluster. What fails is left to the reaper. */
  async close(): Promise<void> {
    const errors: unknown[] = []
    const closed = async (made: Promise<ProvisionedDatabase>): Promise<void> => {
      const database = await made
      const { port } = parseDatabaseUrl(database.url)
      await this.#remove(database, { gone: port !== undefined && this.#ownPorts.has(port) })
    }
    for (const made of this.#made.values()) await closed(made).catch((error: unknown) => errors.push(error))
    this.#made.clear()
    this.#claims.release()
    if (errors.length > 0) throw new AggregateError(errors, 'databases could not be dropped')
  }

  async #make(
    spec: DatabaseSpec,
    where: { owner: string; dataDir: string; override: string | undefined },
  ): Promise<ProvisionedDatabase> {
    const given = typeof spec.url === 'function' ? spec.url() : spec.url
    // The variable names an SQL server; a Redis database is not to be put there.
    const everywhere = spec.engine === 'redis' ? undefined : process.env['MAINSTAY_TEST_DATABASE_URL']
    const url = where.override ?? everywhere ?? given
    const scheme = url === undefined ? 'sqlite' : parseDatabaseUrl(url).scheme
    const freshName = `t_${this.#runId.slice(0, 8)}_${++this.#count}`
    const release = url === undefined ? undefined : this.#claims.take(url, where.owner)
    try {
      const database = await this.#describe(spec, { scheme, url: url ?? '', freshName, dataDir: where.dataDir })
      await this.#fill(database)
      return database
    } catch (error) {
      release?.()
      throw error
    }
  }

  /** Makes it. The reaper knows of it before it exists; of one that could not be made nothing is left. */
  async #fill(database: ProvisionedDatabase): Promise<void> {
    const command = database.dropCommand
    if (command !== undefined) this.#reaper.tell({ event: 'db', id: database.url, ...command })
    try {
      await database.reset({ live: false })
    } catch (error) {
      // What cannot be removed now stays in the books of the reaper; why it could not be made is the story to tell.
      await this.#remove(database, { gone: false }).catch(() => undefined)
      throw error
    }
  }

  /** `gone`: its server was the cluster's own, and has ended with what was on it. */
  async #remove(database: ProvisionedDatabase, { gone }: { gone: boolean }): Promise<void> {
    try {
      if (!gone) await database.drop()
      this.#reaper.tell({ event: 'forget-db', id: database.url })
    } finally {
      await database.close()
    }
  }

  async #describe(
    spec: DatabaseSpec,
    where: { scheme: string; url: string; freshName: string; dataDir: string },
  ): Promise<ProvisionedDatabase> {
    switch (where.scheme) {
      case 'sqlite': {
        const path = where.url === '' ? join(where.dataDir, 'test.sqlite') : parseDatabaseUrl(where.url).database
        return sqliteDatabase({ ...spec, engine: 'sqlite' }, path, this.#dir)
      }
      case 'postgres':
        return postgresDatabase({ ...spec, engine: 'postgres' }, where.url, where.freshName)
      case 'mysql':
      case 'mariadb':
        return mysqlDatabase({ ...spec, engine: 'mysql' }, where.url, where.freshName)
      default:
        return await redisDatabase({ ...spec, engine: 'redis' }, where.url, this.#reaper)
    }
  }
}

/**
 * Empties a database outside of any cluster: drop and create, for SQLite nothing (the file is kept to look at). Throws
 * TK_DATABASE_REFUSED for a name that is not a test's, TK_BAD_SPEC for an unknown scheme. Source: testkit.md A1.3, A6.
 */
export async function resetDatabase(url: string): Promise<void> {
  const { scheme } = parseDatabaseUrl(url)
  if (scheme === 'sqlite') return
  if (scheme === 'postgres') return await recreatePostgres(url)
  if (scheme === 'mysql' || scheme === 'mariadb') return await recreateMysql(url)
  throw new TestkitError(
    'TK_DATABASE_REFUSED',
    `databases of the scheme "${scheme}" are emptied only when leased by a cluster`,
  )
}
