import { MainstayError } from '../../core/errors.ts'

/** A dead letter was sent again and was not taken this time either. */
export class RedeliveryFailedError extends MainstayError {
  readonly code = 'MS_WEBHOOK_REDELIVERY'
  readonly status = 424
  readonly retryable = true

  constructor(eventId: string, reason: string) {
    super(`Event ${eventId} was not taken: ${reason}. It stays a dead letter; try again when the receiver is mended.`)
  }
}
