import { wholeMs } from './format-duration.ts'

/**
 * The base of every error that the product throws on purpose.
 *
 * The text says what happened, to what, and what to do about it. `code` never changes once published: people search
 * for it and scripts match it. The list in `docs/reference/errors.md` is generated from the classes.
 */
export abstract class MainstayError extends Error {
  /** Stable identifier, `MS_…`. */
  abstract readonly code: string
  /** The HTTP status that fits when the error reaches a client. */
  abstract readonly status: number
  /** Whether the same call may succeed later without anybody changing anything. */
  abstract readonly retryable: boolean

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
  }
}

/** A value from outside does not have the form that was asked for. */
export class InvalidInputError extends MainstayError {
  readonly code = 'MS_INVALID_INPUT'
  readonly status = 400
  readonly retryable = false
}

/** Something took longer than its option allows. */
export class TimeoutError extends MainstayError {
  readonly code = 'MS_TIMEOUT'
  readonly status = 504
  readonly retryable = true

  constructor(what: string, timeoutMs: number, options?: { cause?: unknown }) {
    super(`${what} took longer than ${wholeMs(timeoutMs)} and was given up.`, options)
  }
}

/** The process is going down, so nothing new is started. */
export class ShutdownError extends MainstayError {
  readonly code = 'MS_SHUTDOWN'
  readonly status = 503
  readonly retryable = true

  constructor(what = 'The work') {
    super(`${what} was stopped because this process is shutting down. It goes on when a process is running again.`)
  }
}

/** The message of anything that was thrown; of several errors in one, each of theirs. */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Node reports a refused connection to a name with two addresses as an AggregateError without a text.
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(errorMessage).join('; ')
  return error.message
}

/** Whether a retry can help: an unknown error is not retried blindly. */
export function isRetryable(error: unknown): boolean {
  return error instanceof MainstayError && error.retryable
}

/** The `code` of a Node system error (`ENOENT`, …), or of one of ours. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
