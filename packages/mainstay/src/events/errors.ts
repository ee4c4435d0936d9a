import { MainstayError, errorMessage } from '../core/errors.ts'

/** The store of the event log cannot be reached. Whether it has kept what it was just given is unknown. */
export class EventLogUnavailableError extends MainstayError {
  readonly code = 'MS_EVENT_LOG_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true
}

/** The log is away and the spool holds as many bytes as it may: what comes has to wait where it comes from. */
export class EventSpoolFullError extends MainstayError {
  readonly code = 'MS_EVENT_SPOOL_FULL'
  readonly status = 503
  readonly retryable = true

  constructor(directory: string, maxBytes: number) {
    super(
      `The event log is away and its spool ${directory} holds ${maxBytes} bytes, which is all it may. ` +
        'Nothing more is taken in until the store of the log is back; senders keep what they have.',
    )
  }
}

/** The log is away and its spool cannot be written either. */
export class EventSpoolUnwritableError extends MainstayError {
  readonly code = 'MS_EVENT_SPOOL_UNWRITABLE'
  readonly status = 507
  readonly retryable = true

  constructor(directory: string, options: { cause: unknown }) {
    super(
      `The spool of the event log, ${directory}, cannot be used (${errorMessage(options.cause)}). ` +
        'Check its disk and its permissions; events are taken in again by themselves.',
      options,
    )
  }
}
