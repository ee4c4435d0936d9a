import { MainstayError } from '../../core/errors.ts'

/** The server does not let this client have the stream, and asking again would not help. */
export class StreamRefusedError extends MainstayError {
  readonly code = 'MS_STREAM_REFUSED'
  readonly status: number
  readonly retryable = false

  constructor(endpoint: string, why: string, { status }: { status: number }) {
    super(`The event stream of ${endpoint} is not to be had: ${why}.`)
    this.status = status
  }
}
