import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TestkitError } from '../errors.ts'
import { findExecutable } from '../process/executable.ts'
import { runProgram } from '../process/run.ts'
import type { Row } from '../spec.ts'
import type { DatabaseSpec, ProvisionedDatabase } from './database-spec.ts'
import { assertDisposable, parseDatabaseUrl, withDatabase } from './database-url.ts'
import { migrate, seed, templateChoice } from './migrate.ts'
import { cachedFolder, templateKey } from './template-cache.ts'

const dumpName = 'template.sql'

/** Rows of a statement, by the `mariadb` client: the password goes by environment. Values arrive as text or null. */
export async function mysqlSql(url: string, statement: string, params: readonly unknown[] = []): Promise<Row[]> {
  let index = 0
  const text = statement.replaceAll('?', () => quoteValue(params[index++]))
  return parseRows(await client(url, ['--xml', '-e', text], parseDatabaseUrl(url).database))
}

/** A database on a running server; the template is a dump in the cache. Source: testkit.md A6. */
export function mysqlDatabase(spec: DatabaseSpec, url: string, freshName: string): ProvisionedDatabase {
  const named = parseDatabaseUrl(url).database
  const name = named === '' || named === 'mysql' ? freshName : named
  assertDisposable(name)
  const own = withDatabase(url, name)
  const scratch = `${freshName}_tpl`
  const drop = [name, scratch].map((each) => `drop database if exists ${quoteName(each)}`).join('; ')
  return {
    engine: 'mysql',
    url: own,
    sql: (statement, params) => mysqlSql(own, statement, params),
    async reset() {
      await recreateMysql(own)
      const dump = await templateOf(spec, url, scratch)
      if (dump === undefined) await migrate(spec, { url: own, path: '', dir: '' })
      else await client(own, [], name, readFileSync(dump, 'utf8'))
      await seed(spec, { url: own, path: '', dir: '' })
    },
    close: async () => undefined,
    drop: async () => void (await client(url, ['-e', drop])),
    dropCommand: clientCommand(url, ['-e', drop]),
  }
}

/** Drops and makes again, empty. Throws TK_DATABASE_REFUSED. */
export async function recreateMysql(url: string): Promise<void> {
  const { database } = parseDatabaseUrl(url)
  assertDisposable(database)
  const name = quoteName(database)
  await client(url, ['-e', `drop database if exists ${name}; create database ${name} character set utf8mb4`])
}

/** @param scratch a database name that is this one's alone: in it the schema is made that is dumped */
async function templateOf(spec: DatabaseSpec, url: string, scratch: string): Promise<string | undefined> {
  const choice = templateChoice(spec)
  if (choice.use === 'none') return undefined
  if (choice.use === 'given') return choice.name
  const [row] = await mysqlSql(withDatabase(url, ''), 'select version() as version')
  const folder = await cachedFolder('mysql', templateKey(spec, String(row?.['version'])), async (dir) => {
    const scratchUrl = withDatabase(url, scratch)
    await recreateMysql(scratchUrl)
    await migrate(spec, { url: scratchUrl, path: '', dir })
    const { command, env } = clientCommand(url, ['--skip-comments', scratch], 'mariadb-dump')
    const { stdout } = await runProgram(command, { env: { ...process.env, ...env } })
    writeFileSync(join(dir, dumpName), stdout)
    await client(url, ['-e', `drop database if exists ${quoteName(scratch)}`])
  })
  return join(folder, dumpName)
}

async function client(url: string, args: readonly string[], database = '', input?: string): Promise<string> {
  const { command, env } = clientCommand(url, database === '' ? args : [...args, '-D', database])
  const { stdout } = await runProgram(command, {
    env: { ...process.env, ...env },
    ...(input === undefined ? {} : { input }),
  })
  return stdout
}

function clientCommand(
  url: string,
  args: readonly string[],
  program: 'mariadb' | 'mariadb-dump' = 'mariadb',
): { command: string[]; env: Record<string, string> } {
  const { host, port, user, password, query } = parseDatabaseUrl(url)
  const socket = query['unix_socket'] ?? query['socket']
  const where = socket === undefined ? ['--protocol=tcp', '-h', host, '-P', String(port ?? 3306)] : ['-S', socket]
  const older = program === 'mariadb' ? 'mysql' : 'mysqldump'
  return {
    command: [
      findExecutable(program) === undefined ? older : program,
      '--no-defaults',
      ...where,
      '-u',
      user === '' ? 'root' : user,
      ...args,
    ],
    env: password === undefined ? {} : { MYSQL_PWD: password },
  }
}

function parseRows(xml: string): Row[] {
  return [...xml.matchAll(/<row>([\s\S]*?)<\/row>/g)].map((row) =>
    Object.fromEntries(
      [...(row[1] ?? '').matchAll(/<field name="([^"]*)"(?: xsi:nil="true" \/|>([\s\S]*?)<\/field)>/g)].map((field) => [
        unescapeXml(field[1] ?? ''),
        field[2] === undefined ? null : unescapeXml(field[2]),
      ]),
    ),
  )
}

function unescapeXml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
}

function quoteValue(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

function quoteName(name: string): string {
  if (name.includes('\0')) throw new TestkitError('TK_BAD_SPEC', 'a database name cannot contain a zero byte')
  return `\`${name.replaceAll('`', '``')}\``
}
