import { MainstayError } from '../core/errors.ts'

/** The store of the event log cannot be reached. Whether it has kept what it was just given is unknown. */
export class EventLogUnavailableError extends MainstayError {
  readonly code = 'MS_EVENT_LOG_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true
}
