import { resolve } from 'node:path'
import { TestkitError } from '../errors.ts'

/** A database URL taken apart; everything decoded. */
export interface DatabaseUrl {
  /** Without a driver suffix: `mysql+pymysql` is `mysql`. */
  readonly scheme: string
  readonly user: string
  /** Undefined: none was given. Empty: an empty one was given. */
  readonly password: string | undefined
  readonly host: string
  readonly port: number | undefined
  readonly database: string
  readonly query: Readonly<Record<string, string>>
}

/** What every PostgreSQL and every MySQL server has for itself. */
const adminDatabases = ['postgres', 'mysql']
const networkSchemes = ['postgres', 'postgresql', 'mysql', 'mariadb', 'redis']

/** Understands empty and percent-encoded passwords, IPv6 hosts, ports and query parameters. Throws TK_BAD_SPEC. */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  if (/^sqlite(?:\+\w+)?:/.test(text)) {
    return {
      scheme: 'sqlite',
      user: '',
      password: undefined,
      host: '',
      port: undefined,
      database: sqlitePath(text),
      query: {},
    }
  }
  const match = /^([a-z0-9]+)(?:\+\w+)?:\/\//i.exec(text)
  const scheme = match?.[1]?.toLowerCase() ?? text.split(':')[0] ?? ''
  if (match === null || !networkSchemes.includes(scheme)) {
    throw new TestkitError(
      'TK_BAD_SPEC',
      `databases of the scheme "${scheme}" are not known: use sqlite, postgres, mysql, mariadb or redis`,
    )
  }
  const url = new URL(`http://${text.slice(match[0].length)}`)
  const authority = text.slice(match[0].length).split('/')[0] ?? ''
  const credentials = authority.includes('@') ? authority.slice(0, authority.lastIndexOf('@')) : ''
  return {
    scheme: scheme === 'postgresql' ? 'postgres' : scheme,
    user: decodeURIComponent(url.username),
    password: credentials.includes(':') ? decodeURIComponent(url.password) : undefined,
    host: url.hostname.replaceAll(/^\[|\]$/g, ''),
    // 80 is what the parser takes for its own default.
    port: url.port !== '' ? Number(url.port) : authority.endsWith(':80') ? 80 : undefined,
    database: decodeURIComponent(url.pathname.slice(1)),
    query: Object.fromEntries(url.searchParams),
  }
}

/** The same server, another database. */
export function withDatabase(text: string, database: string): string {
  const [head = '', query] = text.split('?')
  const match = /^([a-z0-9+]+:\/\/[^/]*)/i.exec(head)
  return `${match?.[1] ?? head}/${encodeURIComponent(database)}${query === undefined ? '' : `?${query}`}`
}

/** `sqlite:////absolute/path`, as SQLAlchemy writes it. */
export function sqliteUrl(path: string): string {
  return `sqlite:///${path}`
}

function sqlitePath(text: string): string {
  return decodeURIComponent(text.replace(/^sqlite(?:\+\w+)?:(?:\/\/\/?)?/, '').split('?')[0] ?? '')
}

/**
 * Which one database a URL names, the same text for the same database; undefined when it names none: then a fresh one is
 * made, or a number is leased.
 */
export function namedDatabase(text: string): string | undefined {
  const { scheme, host, port, database } = parseDatabaseUrl(text)
  if (scheme === 'sqlite') return `sqlite:${resolve(database)}`
  if (scheme === 'redis' || database === '' || adminDatabases.includes(database)) return undefined
  const family = scheme === 'mariadb' ? 'mysql' : scheme
  const where = host === '' || host === 'localhost' ? '127.0.0.1' : host
  return `${family}://${where}:${port ?? (family === 'mysql' ? 3306 : 5432)}/${database}`
}

/**
 * Refuses to empty a database that does not look like a test's: its name must begin with `t_`, `test_` or `mainstay_test_`
 * (or with a dash), or be named by MAINSTAY_TEST_DB_ALLOW. Throws TK_DATABASE_REFUSED. Source: testkit.md A6.
 *
 * @param allowedAs what MAINSTAY_TEST_DB_ALLOW must say: the name, for a file its whole path
 */
export function assertDisposable(database: string, allowedAs: string = database): void {
  if (/^(?:t|test|mainstay_test)[_-]/.test(database) || process.env['MAINSTAY_TEST_DB_ALLOW'] === allowedAs) return
  throw new TestkitError(
    'TK_DATABASE_REFUSED',
    `database "${allowedAs}" is not emptied: its name does not begin with t_, test_ or mainstay_test_. ` +
      `If it really may be emptied, set MAINSTAY_TEST_DB_ALLOW=${allowedAs}.`,
  )
}
