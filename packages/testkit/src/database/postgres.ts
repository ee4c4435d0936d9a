import { TestkitError, reasonOf } from '../errors.ts'
import { claimLock, homeDir, releaseLock } from '../home.ts'
import { pollUntil } from '../clock.ts'
import { join } from 'node:path'
import { runProgram } from '../process/run.ts'
import type { Row } from '../spec.ts'
import type { DatabaseSpec, ProvisionedDatabase } from './database-spec.ts'
import { assertDisposable, parseDatabaseUrl, withDatabase, type DatabaseUrl } from './database-url.ts'
import { migrate, seed, templateChoice } from './migrate.ts'
import { templateKey } from './template-cache.ts'

/** The database that every PostgreSQL server has, for statements about databases. */
const adminDatabase = 'postgres'

/**
 * Rows of a statement, by `psql`: the password goes by environment. Parameters are quoted as literals.
 *
 * A statement that returns rows is wrapped so that the server writes JSON, which keeps numbers, booleans and nulls.
 */
export async function postgresSql(url: string, statement: string, params: readonly unknown[] = []): Promise<Row[]> {
  const text = bind(statement.trim().replace(/;$/, ''), params)
  if (!/^(?:select|with|values|table)\b|\breturning\b/i.test(text)) {
    await psql(url, text)
    return []
  }
  const json = await psql(url, `with q as (${text}) select coalesce(json_agg(q), '[]') from q`)
  return JSON.parse(json) as Row[]
}

/** A database on a running server, copied from a template database there. Source: testkit.md A6. */
export async function provisionPostgres(
  spec: DatabaseSpec,
  url: string,
  freshName: string,
): Promise<ProvisionedDatabase> {
  const named = parseDatabaseUrl(url).database
  const name = named === '' || named === adminDatabase ? freshName : named
  assertDisposable(name)
  const own = withDatabase(url, name)
  const create = async (): Promise<void> => {
    await postgresSql(withDatabase(url, adminDatabase), `drop database if exists ${quoteName(name)} with (force)`)
    const template = await templateOf(spec, url)
    if (template === undefined) {
      await admin(url, `create database ${quoteName(name)}`)
      await migrate(spec, { url: own, path: '', dir: '' })
    } else await copyTemplate(url, template, name)
    await seed(spec, { url: own, path: '', dir: '' })
  }
  await create()
  return {
    engine: 'postgres',
    url: own,
    sql: (statement, params) => postgresSql(own, statement, params),
    reset: create,
    close: async () => undefined,
    drop: () => admin(url, `drop database if exists ${quoteName(name)} with (force)`),
    dropCommand: psqlCommand(
      withDatabase(url, adminDatabase),
      `drop database if exists ${quoteName(name)} with (force)`,
    ),
  }
}

/** Drops and makes again, empty. Throws TK_DATABASE_REFUSED. */
export async function recreatePostgres(url: string): Promise<void> {
  const { database } = parseDatabaseUrl(url)
  assertDisposable(database)
  await admin(url, `drop database if exists ${quoteName(database)} with (force)`)
  await admin(url, `create database ${quoteName(database)}`)
}

async function templateOf(spec: DatabaseSpec, url: string): Promise<string | undefined> {
  const choice = templateChoice(spec)
  if (choice.use === 'none') return undefined
  if (choice.use === 'given') {
    if (await exists(url, choice.name)) return choice.name
    throw new TestkitError(
      'TK_DATABASE_FAILED',
      `the server has no template database "${choice.name}" (MAINSTAY_TEST_DB_TEMPLATE)`,
    )
  }
  const [version] = await postgresSql(
    withDatabase(url, adminDatabase),
    "select current_setting('server_version') as version",
  )
  const name = `tpl_${templateKey(spec, String(version?.['version']))}`
  const { host, port } = parseDatabaseUrl(url)
  const lock = join(homeDir('templates'), `postgres-${host.replaceAll(/[^\w.-]/g, '_')}-${port ?? 5432}-${name}.lock`)
  const ready = await pollUntil(
    async () => {
      if (await exists(url, name)) return true
      if (!claimLock(lock)) return false
      try {
        if (!(await exists(url, name))) await buildTemplate(spec, url, name)
      } finally {
        releaseLock(lock)
      }
      return true
    },
    { timeoutMs: 180_000, intervalMs: 50 },
  )
  if (ready === undefined)
    throw new TestkitError('TK_DATABASE_FAILED', `template ${name} was not finished by another process`)
  return name
}

/** Under a working name first: a template whose migration failed is never seen by others. */
async function buildTemplate(spec: DatabaseSpec, url: string, name: string): Promise<void> {
  const working = `${name}_new`
  await admin(url, `drop database if exists ${quoteName(working)} with (force)`)
  await admin(url, `create database ${quoteName(working)}`)
  try {
    await migrate(spec, { url: withDatabase(url, working), path: '', dir: '' })
    await endConnections(url, working)
    await admin(url, `alter database ${quoteName(working)} rename to ${quoteName(name)}`)
  } catch (error) {
    await admin(url, `drop database if exists ${quoteName(working)} with (force)`)
    throw error
  }
}

/** PostgreSQL copies a template only while nobody is connected to it. */
async function copyTemplate(url: string, template: string, name: string): Promise<void> {
  const attempts = 5
  for (let attempt = 1; ; attempt++) {
    try {
      await admin(url, `create database ${quoteName(name)} template ${quoteName(template)}`)
      return
    } catch (error) {
      if (attempt === attempts || !/being accessed by other users/.test(reasonOf(error))) throw error
      await endConnections(url, template)
    }
  }
}

async function endConnections(url: string, database: string): Promise<void> {
  const text = `select pg_terminate_backend(pid) from pg_stat_activity where datname = ${quoteLiteral(database)} and pid <> pg_backend_pid()`
  await postgresSql(withDatabase(url, adminDatabase), text)
}

async function exists(url: string, name: string): Promise<boolean> {
  const rows = await postgresSql(
    withDatabase(url, adminDatabase),
    `select 1 as one from pg_database where datname = ${quoteLiteral(name)}`,
  )
  return rows.length > 0
}

async function admin(url: string, statement: string): Promise<void> {
  await psql(withDatabase(url, adminDatabase), statement)
}

async function psql(url: string, statement: string): Promise<string> {
  const { command, env } = psqlCommand(url, statement)
  const { stdout } = await runProgram(command, { env: { ...process.env, ...env }, context: statement })
  return stdout
}

function psqlCommand(url: string, statement: string): { command: string[]; env: Record<string, string> } {
  const parts = parseDatabaseUrl(url)
  return {
    command: [
      'psql',
      '-X',
      '-q',
      '-A',
      '-t',
      '-w',
      '-v',
      'ON_ERROR_STOP=1',
      '-h',
      hostOf(parts),
      '-p',
      String(parts.port ?? 5432),
      '-d',
      parts.database,
      ...(parts.user === '' ? [] : ['-U', parts.user]),
      '-c',
      statement,
    ],
    env: { PGCONNECT_TIMEOUT: '5', ...(parts.password === undefined ? {} : { PGPASSWORD: parts.password }) },
  }
}

function hostOf(parts: DatabaseUrl): string {
  return parts.query['host'] ?? (parts.host === '' ? '127.0.0.1' : parts.host)
}

function bind(statement: string, params: readonly unknown[]): string {
  return statement.replaceAll(/\$(\d+)/g, (match, number: string) => {
    const index = Number(number) - 1
    return index < params.length ? quoteValue(params[index]) : match
  })
}

function quoteValue(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  return quoteLiteral(typeof value === 'string' ? value : JSON.stringify(value))
}

function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
