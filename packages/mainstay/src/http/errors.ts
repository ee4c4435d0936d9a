import { MainstayError } from '../core/errors.ts'

/** What the client sent cannot be used. */
export class BadRequestError extends MainstayError {
  readonly code = 'MS_BAD_REQUEST'
  readonly status = 400
  readonly retryable = false
}

/** Nobody said who asks, or the proof of it is not good (any more). */
export class UnauthorizedError extends MainstayError {
  readonly code = 'MS_UNAUTHORIZED'
  readonly status = 401
  readonly retryable = false
  /** The value of `WWW-Authenticate`, or null where there is nothing to tell. */
  readonly challenge: string | null

  constructor(message: string, options: { challenge?: string | null; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.challenge = options.challenge ?? null
  }
}

/** The identity service that would know the caller does not answer. */
export class IdentityUnavailableError extends MainstayError {
  readonly code = 'MS_IDENTITY_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true
}

/** A policy rule says no. */
export class ForbiddenError extends MainstayError {
  readonly code = 'MS_FORBIDDEN'
  readonly status = 403
  readonly retryable = false

  constructor(rule: string) {
    super(
      `Policy doesn't allow ${rule} to be performed. Ask for a role that the rule names, or change it in the policy file.`,
    )
  }
}

/** There is no such thing. */
export class NotFoundError extends MainstayError {
  readonly code = 'MS_NOT_FOUND'
  readonly status = 404
  readonly retryable = false
}

/** The path exists, but not for this HTTP method. */
export class MethodNotAllowedError extends MainstayError {
  readonly code = 'MS_METHOD_NOT_ALLOWED'
  readonly status = 405
  readonly retryable = false

  constructor(method: string, verb: string) {
    super(`The method ${method} is not allowed here: this resource has no "${verb}".`)
  }
}

/** The requested microversion is outside of what is served. */
export class VersionNotAcceptableError extends MainstayError {
  readonly code = 'MS_VERSION_NOT_ACCEPTABLE'
  readonly status = 406
  readonly retryable = false
}

/** What is asked contradicts what is there. */
export class ConflictError extends MainstayError {
  readonly code = 'MS_CONFLICT'
  readonly status = 409
  readonly retryable = false
}

/** An Idempotency-Key that stands for another request already. */
export class IdempotencyKeyReusedError extends MainstayError {
  readonly code = 'MS_IDEMPOTENCY_KEY_REUSED'
  readonly status = 422
  readonly retryable = false

  constructor(key: string) {
    super(
      `The Idempotency-Key ${key} came with another report before, so this one was not stored. ` +
        'Send it again with a key of its own.',
    )
  }
}

/** The body is longer than allowed. */
export class BodyTooLargeError extends MainstayError {
  readonly code = 'MS_BODY_TOO_LARGE'
  readonly status = 413
  readonly retryable = false

  constructor(maxBytes: number) {
    super(`The request body is longer than the ${maxBytes} bytes that are allowed. Send less, or raise the limit.`)
  }
}

/** The body is of a kind that is not understood. */
export class UnsupportedMediaTypeError extends MainstayError {
  readonly code = 'MS_UNSUPPORTED_MEDIA_TYPE'
  readonly status = 415
  readonly retryable = false

  constructor(contentType: string) {
    super(`The content type ${contentType} is not supported. Send application/json.`)
  }
}

/** The client went away before its request was complete. */
export class RequestAbortedError extends MainstayError {
  readonly code = 'MS_REQUEST_ABORTED'
  readonly status = 400
  readonly retryable = true

  constructor(options?: { cause?: unknown }) {
    super('The client closed the connection before its request was complete.', options)
  }
}
