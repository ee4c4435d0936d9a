import { errorCode, errorMessage } from '../../core/errors.ts'
import {
  StoreConflictError,
  StoreCorruptError,
  StoreFullError,
  StoreUnavailableError,
  StoreWriteBrokenError,
} from '../errors.ts'

const CONNECTION_TROUBLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** Serialization failure, deadlock, lock not available. Source: PostgreSQL manual, appendix A. */
const CONTENTION = new Set(['40001', '40P01', '55P03'])

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
  if (
    CONNECTION_TROUBLE.has(code) ||
    code.startsWith('08') ||
    code.startsWith('57P') ||
    code === '25P03' ||
    isLostConnection(error)
  ) {
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
  if (code === '25P02') return new StoreWriteBrokenError(options)
  if (code === '23505') return new StoreConflictError(`A record with the same unique value exists (${said}).`, options)
  return error
}

/** The driver reports some lost connections by text alone. */
function isLostConnection(error: unknown): boolean {
  return (
    error instanceof Error &&
    /connection (terminated|timeout)|timeout exceeded when trying to connect|query read timeout|not queryable/i.test(
      error.message,
    )
  )
}
