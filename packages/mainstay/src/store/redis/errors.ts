import { MainstayError } from '../../core/errors.ts'

/** Redis cannot be reached, does not answer in time, or says itself that it cannot work now. */
export class RedisUnavailableError extends MainstayError {
  readonly code = 'MS_REDIS_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true
}

/** Redis answered a command with an error that no retry mends: a missing permission, a wrong type, a faulty script. */
export class RedisReplyError extends MainstayError {
  readonly code = 'MS_REDIS_REPLY'
  readonly status = 500
  readonly retryable = false
}
