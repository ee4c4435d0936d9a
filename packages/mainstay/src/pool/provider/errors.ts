import { MainstayError, errorMessage } from '../../core/errors.ts'

/**
 * What a failure of a provider says about the next attempt.
 *
 * - `quota`, `capacity`: this provider cannot now, another may at once
 * - `rate_limit`: it can, but not so fast
 * - `authentication`: it cannot until a person repairs the credentials
 * - `invalid`: no provider can, the request itself is wrong
 * - `transient`: everything else; the same request may work later
 *
 * Source: vm-pool.md C11.
 */
export type ProviderErrorClass = 'quota' | 'capacity' | 'rate_limit' | 'authentication' | 'invalid' | 'transient'

export interface ProviderErrorOptions {
  readonly cause?: unknown
  /** How long the provider asked to be left alone, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** The identifier or name of what the failed act left at the provider and could not remove. */
  readonly leftBehind?: string | undefined
}

/** The base of everything that a provider throws. */
export abstract class ProviderError extends MainstayError {
  abstract readonly class: ProviderErrorClass
  /** The provider's name in the configuration. */
  readonly provider: string
  readonly retryAfterMs: number | undefined
  readonly leftBehind: string | undefined

  constructor(provider: string, message: string, options: ProviderErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.provider = provider
    this.retryAfterMs = options.retryAfterMs
    this.leftBehind = options.leftBehind
  }
}

/** A provider's quota is used up. Raise it there, or lower the label's `max_total`. */
export class ProviderQuotaError extends ProviderError {
  readonly code = 'MS_PROVIDER_QUOTA'
  readonly status = 409
  readonly retryable = true
  readonly class = 'quota'
}

/** A provider has no room for such a machine now. */
export class ProviderCapacityError extends ProviderError {
  readonly code = 'MS_PROVIDER_CAPACITY'
  readonly status = 409
  readonly retryable = true
  readonly class = 'capacity'
}

/** A provider was asked too often. It is asked more slowly from now on. */
export class ProviderRateLimitError extends ProviderError {
  readonly code = 'MS_PROVIDER_RATE_LIMIT'
  readonly status = 503
  readonly retryable = true
  readonly class = 'rate_limit'
}

/** A provider refuses our credentials. It is not used until they are repaired. */
export class ProviderAuthenticationError extends ProviderError {
  readonly code = 'MS_PROVIDER_AUTHENTICATION'
  readonly status = 502
  readonly retryable = false
  readonly class = 'authentication'
}

/** A provider calls the request itself wrong: an unknown image, a missing hook. The label is at fault, not the provider. */
export class ProviderInvalidError extends ProviderError {
  readonly code = 'MS_PROVIDER_INVALID'
  readonly status = 422
  readonly retryable = false
  readonly class = 'invalid'
}

/** A provider failed, or did not answer in time. */
export class ProviderTransientError extends ProviderError {
  readonly code = 'MS_PROVIDER_TRANSIENT'
  readonly status = 503
  readonly retryable = true
  readonly class = 'transient'
}

/** What bears the name of one of our machines does not carry our tags. It is left alone. */
export class ForeignMachineError extends ProviderError {
  readonly code = 'MS_FOREIGN_MACHINE'
  readonly status = 409
  readonly retryable = false
  readonly class = 'invalid'
}

/** A machine that should be there is not. */
export class MachineNotFoundError extends ProviderError {
  readonly code = 'MS_MACHINE_NOT_FOUND'
  readonly status = 404
  readonly retryable = false
  readonly class = 'invalid'
}

/** A provider cannot do what was asked of it at all; its capabilities say so beforehand. */
export class ProviderUnsupportedError extends ProviderError {
  readonly code = 'MS_PROVIDER_UNSUPPORTED'
  readonly status = 501
  readonly retryable = false
  readonly class = 'invalid'

  constructor(provider: string, what: string) {
    super(provider, `The provider ${provider} cannot ${what}. Its configuration may name a hook for it.`)
  }
}

/** An error of a class that is known only when it happens. */
export function providerError(
  kind: ProviderErrorClass,
  provider: string,
  message: string,
  options: ProviderErrorOptions = {},
): ProviderError {
  switch (kind) {
    case 'quota':
      return new ProviderQuotaError(provider, message, options)
    case 'capacity':
      return new ProviderCapacityError(provider, message, options)
    case 'rate_limit':
      return new ProviderRateLimitError(provider, message, options)
    case 'authentication':
      return new ProviderAuthenticationError(provider, message, options)
    case 'invalid':
      return new ProviderInvalidError(provider, message, options)
    case 'transient':
      return new ProviderTransientError(provider, message, options)
  }
}

/** The same error, saying also what the failed act left at the provider and why that could not be removed. */
export function leftBehind(error: ProviderError, what: string, because: unknown): ProviderError {
  const { class: kind, provider, retryAfterMs, cause } = error
  const text = `${error.message} What it made (${what}) could not be removed: ${errorMessage(because)}`
  return providerError(kind, provider, text, { cause, retryAfterMs, leftBehind: what })
}

/** The class of anything that an attempt may fail with; what is not a provider's own is transient. */
export function providerErrorClass(error: unknown): ProviderErrorClass {
  return error instanceof ProviderError ? error.class : 'transient'
}
