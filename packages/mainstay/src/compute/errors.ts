import { MainstayError } from '../core/errors.ts'

/** The platform knows no such guest. */
export class InstanceNotFoundError extends MainstayError {
  readonly code = 'MS_INSTANCE_NOT_FOUND'
  readonly status = 404
  readonly retryable = false

  constructor(instance: string, options?: { cause?: unknown }) {
    super(`There is no guest ${instance} on any host that answers. It may have been deleted.`, options)
  }
}

/** The platform knows no such host. */
export class HostNotFoundError extends MainstayError {
  readonly code = 'MS_HOST_NOT_FOUND'
  readonly status = 404
  readonly retryable = false

  constructor(host: string) {
    super(`The compute platform knows no host ${host}. Check the name; it is case-sensitive.`)
  }
}

/** A guest is not in a state in which this can be done. */
export class InstanceStateError extends MainstayError {
  readonly code = 'MS_INSTANCE_STATE'
  readonly status = 409
  readonly retryable = false
}

/** A guest refused to start or stop, in the platform's words. */
export class InstanceRefusedError extends MainstayError {
  readonly code = 'MS_INSTANCE_REFUSED'
  readonly status = 502
  readonly retryable = false
}

/** A host's libvirtd answers and does not know what became of guests that ran there. */
export class GuestUnaccountedError extends MainstayError {
  readonly code = 'MS_GUEST_UNACCOUNTED'
  readonly status = 409
  readonly retryable = false

  constructor(host: string, guests: readonly { readonly uuid: string; readonly name: string }[]) {
    const [first] = guests
    const more = guests.length > 1 ? ` (and ${guests.length - 1} more)` : ''
    super(
      `Guest ${first?.uuid} (${first?.name}) ran on host ${host} when it was last seen${more}. Its libvirtd does not know how ` +
        `it ended, and nothing shows that the host has booted since, so its QEMU may still run. Look for it on the host ` +
        `("pgrep -af guest=${first?.name}") and end it there.`,
    )
  }
}

/** A guest cannot run on another host. */
export class InstanceBoundError extends MainstayError {
  readonly code = 'MS_INSTANCE_BOUND'
  readonly status = 409
  readonly retryable = false
}

/** No host has room. */
export class CapacityError extends MainstayError {
  readonly code = 'MS_NO_CAPACITY'
  readonly status = 409
  readonly retryable = true
}

/** A host, or the platform, does not answer. */
export class ComputeUnavailableError extends MainstayError {
  readonly code = 'MS_COMPUTE_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true
}
