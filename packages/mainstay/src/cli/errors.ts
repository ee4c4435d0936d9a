import { MainstayError } from '../core/errors.ts'

/** The command line does not say something that can be done. */
export class UsageError extends MainstayError {
  readonly code = 'MS_USAGE'
  readonly status = 400
  readonly retryable = false
}

/** Nothing goes by the name or id that the command line gives. */
export class NoSuchThingError extends MainstayError {
  readonly code = 'MS_NO_SUCH_THING'
  readonly status = 404
  readonly retryable = false
}

/** What was asked for or waited for ended, and not well. */
export class OutcomeError extends MainstayError {
  readonly code = 'MS_OUTCOME'
  readonly status = 500
  readonly retryable = false
}

/** What was asked contradicts what is there, so it was not even tried. */
export class RefusedError extends MainstayError {
  readonly code = 'MS_REFUSED'
  readonly status = 409
  readonly retryable = false
}

/** A command whose work is not part of this build. */
export class NotBuiltError extends MainstayError {
  readonly code = 'MS_NOT_BUILT'
  readonly status = 501
  readonly retryable = false

  constructor(part: string) {
    super(`This version of mainstay does not have "${part}" yet. Install a newer one.`)
  }
}
