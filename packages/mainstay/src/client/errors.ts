import { MainstayError } from '../core/errors.ts'

/** What a server said when it refused a call. */
export interface ApiFault {
  readonly status: number
  /** The member that names the fault (`conflictingRequest`, `itemNotFound`, …) or the error's code; null without one. */
  readonly faultKey: string | null
  readonly requestId: string | null
  /** How long the server asks to wait before the next attempt, in milliseconds, or null. */
  readonly retryAfterMs: number | null
  readonly message: string
}

/** Statuses after which the same call may succeed: too many requests, and trouble between us and the server. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** The server answered, and the answer is no. Its own words are the message. Source: ha-api.md 1.5. */
export class MainstayApiError extends MainstayError {
  readonly code = 'MS_API_REFUSED'
  readonly status: number
  readonly retryable: boolean
  readonly faultKey: string | null
  readonly requestId: string | null
  readonly retryAfterMs: number | null
  /** The method and path of the call, without its host. */
  readonly call: string

  constructor(call: string, fault: ApiFault) {
    super(fault.message)
    this.call = call
    this.status = fault.status
    this.retryable = RETRYABLE.has(fault.status)
    this.faultKey = fault.faultKey
    this.requestId = fault.requestId
    this.retryAfterMs = fault.retryAfterMs
  }
}

/** No answer came: nobody listens, the name is unknown, the connection broke, TLS failed. */
export class ServerUnreachableError extends MainstayError {
  readonly code = 'MS_SERVER_UNREACHABLE'
  readonly status = 503
  readonly retryable = true
  readonly endpoint: string

  constructor(endpoint: string, why: string, options: { cause: unknown }) {
    super(
      `No answer from ${endpoint}: ${why}. ` +
        `Check that "mainstay serve" runs there, or name another server with --endpoint or MAINSTAY_ENDPOINT.`,
      options,
    )
    this.endpoint = endpoint
  }
}

/** Something answers at the endpoint, but not in the words of this API. */
export class UnexpectedAnswerError extends MainstayError {
  readonly code = 'MS_UNEXPECTED_ANSWER'
  readonly status = 502
  readonly retryable = false

  constructor(call: string, what: string, options?: { cause?: unknown }) {
    super(
      `The answer to ${call} is not what this API gives: ${what}. Check that the endpoint is a Mainstay server.`,
      options,
    )
  }
}
