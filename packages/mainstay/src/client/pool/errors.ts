import { errorMessage, MainstayError } from '../../core/errors.ts'

/** The machine is not ours any more. Whatever still works on it has to stop. */
export class LeaseLostError extends MainstayError {
  readonly code = 'MS_CLIENT_LEASE_LOST'
  readonly status = 409
  readonly retryable = false
  readonly vm: string

  constructor(vm: string, why: string, options?: { cause?: unknown }) {
    super(`The lease on the machine ${vm} is lost: ${why}. Stop working on it; acquire another one.`, options)
    this.vm = vm
  }
}

/** A more urgent request wants the machine; it is taken away at the end of the grace. */
export class LeasePreemptedError extends MainstayError {
  readonly code = 'MS_LEASE_PREEMPTED'
  readonly status = 409
  readonly retryable = false

  constructor(vm: string, graceMs: number) {
    super(
      `A more urgent request wants the machine ${vm}: it is taken away in ${graceMs} ms. Save what you have, and stop.`,
    )
  }
}

/** Nobody confirmed that the machine was given back, for as long as its lease lasted when that was begun. */
export class LeaseReleaseUnconfirmedError extends MainstayError {
  readonly code = 'MS_CLIENT_RELEASE_UNCONFIRMED'
  readonly status = 503
  readonly retryable = true
  readonly vm: string

  /** @param leftMs how long the lease still lasts at most, in milliseconds */
  constructor(vm: string, leftMs: number, options: { cause: unknown }) {
    super(
      `The machine ${vm} was not given back for certain: ${errorMessage(options.cause)} No more sign of life is sent, so ` +
        `the pool takes it back by itself when the lease, in ${leftMs} ms at most, and the grace of its group are over.`,
      options,
    )
    this.vm = vm
  }
}
