import { MainstayError } from '../core/errors.ts'

/** An OpenStack service does not answer, or answers that it cannot. */
export class OpenStackUnavailableError extends MainstayError {
  readonly code = 'MS_OPENSTACK_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true
}

/** Keystone does not accept the credentials that this program is configured with. */
export class CredentialsRefusedError extends MainstayError {
  readonly code = 'MS_CREDENTIALS_REFUSED'
  readonly status = 503
  readonly retryable = false
}

/** An OpenStack service answered something that was not asked for. */
export class UnexpectedAnswerError extends MainstayError {
  readonly code = 'MS_OPENSTACK_ANSWER'
  readonly status = 502
  readonly retryable = false
  /** The status that the service answered with. */
  readonly answered: number

  constructor(message: string, answered: number, options?: { cause?: unknown }) {
    super(message, options)
    this.answered = answered
  }
}

/** The catalogue has no endpoint of a service. */
export class EndpointNotFoundError extends MainstayError {
  readonly code = 'MS_ENDPOINT_NOT_FOUND'
  readonly status = 503
  readonly retryable = false
}
