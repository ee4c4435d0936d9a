import { MainstayError } from '../../core/errors.ts'

/** The event stream serves nobody at the moment. */
export class StreamUnavailableError extends MainstayError {
  readonly code = 'MS_STREAM_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true

  constructor(why: string) {
    super(`The event stream is not available on this node: ${why}. Connect again in a moment, or to another node.`)
  }
}
