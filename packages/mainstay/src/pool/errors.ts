import { MainstayError } from '../core/errors.ts'
import type { VmState } from './state.ts'

/** No machine of that name is in the pool. */
export class VmNotFoundError extends MainstayError {
  readonly code = 'MS_POOL_VM_NOT_FOUND'
  readonly status = 404
  readonly retryable = false

  constructor(name: string) {
    super(`No machine ${name} is in the pool. "mainstay pool list" shows what is there.`)
  }
}

/** A machine of that name is in the pool already, in whichever group. */
export class VmExistsError extends MainstayError {
  readonly code = 'MS_POOL_VM_EXISTS'
  readonly status = 409
  readonly retryable = false

  constructor(name: string, group: string) {
    super(`A machine ${name} is in the pool already, in group ${group}. Names are unique over all groups.`)
  }
}

/** The machine's state does not allow what was asked. */
export class VmStateError extends MainstayError {
  readonly code = 'MS_POOL_VM_STATE'
  readonly status = 409
  readonly retryable = false
  readonly state: VmState

  constructor(name: string, state: VmState, what: string) {
    super(`The machine ${name} is ${state}, so it cannot ${what}. Nothing was changed.`)
    this.state = state
  }
}

/** The lease is not the caller's any more: it ended, or somebody else has the machine. */
export class VmLeaseLostError extends MainstayError {
  readonly code = 'MS_POOL_LEASE_LOST'
  readonly status = 409
  readonly retryable = false

  constructor(name: string, what: string) {
    super(
      `The lease on the machine ${name} is not yours any more, so your ${what} was refused. ` +
        'Stop working on it; acquire another one.',
    )
  }
}

/** There is no such group in the pool's configuration, or, to who is no admin, none in which something is theirs. */
export class PoolGroupNotFoundError extends MainstayError {
  readonly code = 'MS_POOL_GROUP_NOT_FOUND'
  readonly status = 404
  readonly retryable = false

  /** @param options.ofCaller whether only what is the caller's was looked for */
  constructor(group: string, { ofCaller = false }: { readonly ofCaller?: boolean } = {}) {
    super(
      ofCaller
        ? `The pool has no group ${group} in which a machine is yours or you wait for one. Leave the group out to see all that is yours.`
        : `The pool has no group ${group}. The groups are in the section [pool] of the configuration.`,
    )
  }
}

/** No group in the pool's configuration carries the label. */
export class PoolLabelNotFoundError extends MainstayError {
  readonly code = 'MS_POOL_LABEL_NOT_FOUND'
  readonly status = 404
  readonly retryable = false

  constructor(label: string, known: readonly string[]) {
    super(
      `No group of the pool carries the label ${label}. The labels are ${known.join(', ') || '(none)'}; ` +
        'they are in the section [pool] of the configuration.',
    )
  }
}

/** A request that could never be served, however long it waited. */
export class PoolRequestImpossibleError extends MainstayError {
  readonly code = 'MS_POOL_REQUEST_IMPOSSIBLE'
  readonly status = 422
  readonly retryable = false

  constructor(why: string) {
    super(`This request can never be served: ${why}. It was not queued.`)
  }
}

/** A request that the pool does not know, or no longer. */
export class PoolRequestNotFoundError extends MainstayError {
  readonly code = 'MS_POOL_REQUEST_NOT_FOUND'
  readonly status = 404
  readonly retryable = false

  constructor(id: string) {
    super(`The pool knows no request ${id}, or it ended so long ago that it was forgotten.`)
  }
}

/** A request that has ended cannot be changed any more. */
export class PoolRequestEndedError extends MainstayError {
  readonly code = 'MS_POOL_REQUEST_ENDED'
  readonly status = 409
  readonly retryable = false

  constructor(id: string, status: string) {
    super(`The request ${id} is ${status} and cannot be changed. Make a new one.`)
  }
}

/** Another master has taken over; what this one wanted to write was refused. */
export class PoolMasterFencedError extends MainstayError {
  readonly code = 'MS_POOL_MASTER_FENCED'
  readonly status = 409
  readonly retryable = false

  constructor(fence: number) {
    super(`Another process leads the pool (the fencing number ${fence} is not the newest); this one lets go.`)
  }
}

/** A hold that the rules do not allow. */
export class HoldRefusedError extends MainstayError {
  readonly code = 'MS_POOL_HOLD_REFUSED'
  readonly status = 409
  readonly retryable = false

  constructor(name: string, why: string) {
    super(`The machine ${name} was not put on hold: ${why}.`)
  }
}
