import { runProgram } from '../process/run.ts'
import type { Row } from '../spec.ts'
import { parseDatabaseUrl, withDatabase } from './database-url.ts'

/** The database that every PostgreSQL server has, for statements about databases. */
export const adminDatabase = 'postgres'

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

/** Statements about databases, each by itself: they cannot stand in a transaction. */
export async function admin(url: string, ...statements: string[]): Promise<void> {
  await psql(withDatabase(url, adminDatabase), ...statements)
}

/** A call of `psql`: nothing of the URL is on its command line, which everybody can read. */
export function psqlCommand(
  url: string,
  statements: readonly string[],
): { command: string[]; env: Record<string, string> } {
  return {
    command: ['psql', '-XqAtw', '-v', 'ON_ERROR_STOP=1', ...statements.flatMap((statement) => ['-c', statement])],
    env: { PGCONNECT_TIMEOUT: '5', ...libpqEnvironment(url) },
  }
}

/** What of an environment would overrule that: a service of libpq, and the address of another host. */
export const overrulingLibpq = { PGSERVICE: undefined, PGHOSTADDR: undefined }

/** What tells every program of PostgreSQL where to connect; without {@link overrulingLibpq} beside it. */
export function libpqEnvironment(url: string): Record<string, string> {
  const { host, port, user, password, database, query } = parseDatabaseUrl(url)
  return {
    PGHOST: query['host'] ?? (host === '' ? '127.0.0.1' : host),
    PGPORT: String(port ?? 5432),
    PGDATABASE: database,
    ...(user === '' ? {} : { PGUSER: user }),
    ...(password === undefined ? {} : { PGPASSWORD: password }),
  }
}

async function psql(url: string, ...statements: string[]): Promise<string> {
  const { command, env } = psqlCommand(url, statements)
  const whole = { ...process.env, ...overrulingLibpq, ...env }
  const { stdout } = await runProgram(command, { env: whole, context: statements.join('; ') })
  return stdout
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

export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
