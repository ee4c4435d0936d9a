import { MainstayError } from '../../core/errors.ts'
import type { ResetReason } from '../hub/control-frame.ts'
import type { LogExtent } from '../log.ts'

const REASONS: Readonly<Record<ResetReason, string>> = {
  cursor_expired: 'The events after this cursor are no longer kept.',
  cursor_ahead: 'The cursor is ahead of the newest event, so it is of another history.',
  epoch_changed: 'History was lost since this cursor was given, and a new one has begun.',
}

/** The part of history that was asked for is not there. Source: event-stream.md R11, R36. */
export class CursorGoneError extends MainstayError {
  readonly code = 'MS_CURSOR_GONE'
  readonly status = 410
  readonly retryable = false
  readonly reason: ResetReason
  readonly extent: LogExtent

  constructor(reason: ResetReason, extent: LogExtent) {
    super(`${REASONS[reason]} Fetch the state anew, and go on with since=earliest or without since.`)
    this.reason = reason
    this.extent = extent
  }
}
