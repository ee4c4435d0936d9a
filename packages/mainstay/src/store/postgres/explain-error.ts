import { errorCode, errorMessage } from '../../core/errors.ts'
import {
  StoreCorruptError,
  StoreFullError,
  StoreSchemaError,
  StoreUnavailableError,
  StoreWriteBrokenError,
  type UniqueValue,
} from '../errors.ts'
import { uniqueConflict } from '../unique-conflict.ts'

/** What the operating system says of a server, or of the way to it, that is not there. */
const CONNECTION_TROUBLE = new Set([
  'EADDRNOTAVAIL',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** Serialization failure, deadlock, lock not available. Source: PostgreSQL manual, appendix A. */
const CONTENTION = new Set(['40001', '40P01', '55P03'])

/** Table, column or schema unknown: never migrated, or by another version. Source: PostgreSQL manual, appendix A. */
const SCHEMA_TROUBLE = new Set(['42P01', '42703', '3F000'])

/** What a connection or a role is not allowed, with what to do. Source: PostgreSQL manual, appendix A. */
const REFUSALS: ReadonlyMap<string, { readonly what: string; readonly remedy: string }> = new Map([
  [
    '25006',
    {
      what: 'takes no changes now',
      remedy: 'It may be a standby or be set to read only: give the address of the primary, or let it take changes.',
    },
  ],
  ['28000', { what: 'does not let us in', remedy: 'Check the user of the address and pg_hba.conf.' }],
  ['28P01', { what: 'does not let us in', remedy: 'Check the user and the password of the address.' }],
  ['3D000', { what: 'has no such database', remedy: 'Check its name in the address, or create or restore it.' }],
  ['42501', { what: 'forbids this to our user', remedy: 'Grant the user the tables, or make it their owner.' }],
])

/** Whether the transaction certainly did not commit and can be tried again as it was. Takes an explained error. */
export function isWorthRepeating(error: unknown): boolean {
  if (!(error instanceof StoreUnavailableError)) return false
  const code = errorCode(error.cause)
  return code !== undefined && (CONTENTION.has(code) || code === 'ECONNREFUSED')
}

/** Turns SQLSTATE codes and socket errors into errors that say what to do; others are passed on. */
export function explainPostgresError(error: unknown, where: string): unknown {
  const code = errorCode(error) ?? ''
  const said = errorMessage(error)
  const options = { cause: error }
  if (isLostConnection(error)) {
    return new StoreUnavailableError(
      `PostgreSQL at ${where} does not answer (${said}). Check that it runs and that the address is right; work goes on by itself.`,
      options,
    )
  }
  if (CONTENTION.has(code) || code === '57014') {
    return new StoreUnavailableError(`PostgreSQL at ${where} was too busy for a change (${said}). Try again.`, options)
  }
  if (code === '53100') {
    return new StoreFullError(`The disk of PostgreSQL at ${where} is full (${said}). Nothing was changed.`, options)
  }
  if (code.startsWith('53')) {
    return new StoreUnavailableError(`PostgreSQL at ${where} is out of resources (${said}). Raise its limits.`, options)
  }
  if (code === 'XX001' || code === 'XX002') {
    return new StoreCorruptError(`The data of PostgreSQL at ${where} is damaged (${said}). Restore a backup.`, options)
  }
  const refusal = REFUSALS.get(code)
  if (refusal !== undefined) {
    const { what, remedy } = refusal
    return new StoreUnavailableError(`PostgreSQL at ${where} ${what} (${said}). ${remedy}`, options)
  }
  if (SCHEMA_TROUBLE.has(code)) {
    return new StoreSchemaError(
      `PostgreSQL at ${where} lacks what this program keeps its records in (${said}). ` +
        'Run "mainstay migrate", check the search path of the user, or restore a backup.',
      options,
    )
  }
  if (code === '25P02') return new StoreWriteBrokenError(options)
  if (code === '23505') return uniqueConflict(error, takenValue(error))
  return error
}

/** Reads `table` and `detail`, `Key (name, deleted)=(a, 0) already exists.`, whose words are in the server's language. */
function takenValue(error: unknown): UniqueValue | null {
  if (typeof error !== 'object' || error === null || !('table' in error) || !('detail' in error)) return null
  const { table, detail } = error
  const columns = typeof detail === 'string' ? /\(([\w, ]+)\)=\(/.exec(detail)?.[1] : undefined
  return typeof table !== 'string' || columns === undefined ? null : { table, columns: columns.split(', ') }
}

/**
 * Whether the error says that its connection is of no use any more. Takes what the driver threw, which reports some lost
 * connections, and a server that has fallen silent, by text alone.
 */
export function isLostConnection(error: unknown): boolean {
  const code = errorCode(error) ?? ''
  return (
    CONNECTION_TROUBLE.has(code) ||
    code.startsWith('08') ||
    code.startsWith('57P') ||
    code === '25P03' ||
    (error instanceof Error &&
      /connection (terminated|timeout)|timeout exceeded when trying to connect|query read timeout|not queryable/i.test(
        error.message,
      ))
  )
}
