import { MainstayError } from '../../core/errors.ts'

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
