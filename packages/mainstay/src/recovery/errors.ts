import { MainstayError } from '../core/errors.ts'

/** Nobody waits for the assertion that a host is dead. */
export class NothingHeldError extends MainstayError {
  readonly code = 'MS_NOTHING_HELD'
  readonly status = 409
  readonly retryable = false

  constructor(host: string) {
    super(
      `No recovery of host ${host} waits for a proof of death, so there is nothing to assert. ` +
        `"mainstay recovery list --status held" shows those that wait.`,
    )
  }
}

/** A recovery is not in a state in which this can be asked of it. */
export class RecoveryStateError extends MainstayError {
  readonly code = 'MS_RECOVERY_STATE'
  readonly status = 409
  readonly retryable = false

  constructor(id: string, status: string, wanted: string) {
    super(`Recovery ${id} is ${status}; only one that is held can be asked to ${wanted}.`)
  }
}

/** A recovery that waits for a proof of death cannot simply be waved through. */
export class ApprovalNotEnoughError extends MainstayError {
  readonly code = 'MS_APPROVAL_NOT_ENOUGH'
  readonly status = 409
  readonly retryable = false

  constructor(id: string, host: string) {
    super(
      `Recovery ${id} waits for a proof that host ${host} is dead, which an approval does not replace. ` +
        `Look at the host's power, then run "mainstay fence ${host} --assert-dead --reason …".`,
    )
  }
}
