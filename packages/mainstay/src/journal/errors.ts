import { MainstayError } from '../core/errors.ts'
import { wholeMs } from '../core/format-duration.ts'

/** Another engine owns this workflow now; whatever this one wanted to write was refused. */
export class StaleOwnerError extends MainstayError {
  readonly code = 'MS_STALE_OWNER'
  readonly status = 409
  readonly retryable = false

  constructor(workflowId: string, fence: number) {
    super(
      `Workflow ${workflowId} is owned by another engine (its fencing token is newer than ${fence}); this one lets go.`,
    )
  }
}

/**
 * A workflow could not be claimed with its first record: it is not there yet, somebody else was first, or it has to wait.
 * Not an error: a look claims it when its turn has come.
 */
export class NotClaimed extends Error {
  constructor(workflowId: string) {
    super(`workflow ${workflowId} was not claimed with its first record`)
  }
}

/** This engine could not renew its lease in time and must assume that others took over its work. */
export class LeaseLostError extends MainstayError {
  readonly code = 'MS_LEASE_LOST'
  readonly status = 503
  readonly retryable = true

  constructor(engine: string, silentMs: number) {
    super(`Engine ${engine} could not renew its lease for ${wholeMs(silentMs)} and lets go of its work.`)
  }
}

/** A replayed workflow took another path than the one written down. */
export class NonDeterministicWorkflowError extends MainstayError {
  readonly code = 'MS_NON_DETERMINISTIC'
  readonly status = 500
  readonly retryable = false

  constructor(workflow: string, detail: string) {
    super(
      `Workflow ${workflow} does not follow its own history: ${detail}. ` +
        `It was stopped so that nothing is done twice. Finish it by hand, and report this: the program changed under it.`,
    )
  }
}

/** A step did not succeed; the error of its last attempt is in `failedCode` and the message. */
export class StepFailedError extends MainstayError {
  readonly code = 'MS_STEP_FAILED'
  readonly status = 500
  readonly retryable = false
  readonly step: string
  /** The code of the error of the last attempt, for example `MS_NO_CAPACITY`. */
  readonly failedCode: string
  /** The text of the error of the last attempt. */
  readonly failedMessage: string

  constructor(step: string, failed: { code: string; message: string }, options?: { cause?: unknown }) {
    super(`Step ${step} failed: ${failed.message}`, options)
    this.step = step
    this.failedCode = failed.code
    this.failedMessage = failed.message
  }
}

/** Somebody cancelled the workflow. */
export class WorkflowCancelledError extends MainstayError {
  readonly code = 'MS_WORKFLOW_CANCELLED'
  readonly status = 409
  readonly retryable = false

  constructor(workflowId: string, reason: string) {
    super(`Workflow ${workflowId} was cancelled: ${reason}`)
  }
}

/** There is no such workflow. */
export class WorkflowNotFoundError extends MainstayError {
  readonly code = 'MS_WORKFLOW_NOT_FOUND'
  readonly status = 404
  readonly retryable = false

  constructor(workflowId: string) {
    super(`There is no recovery ${workflowId}. "mainstay recovery list" shows those that exist.`)
  }
}

/** A workflow that ended cannot be signalled or cancelled any more. */
export class WorkflowEndedError extends MainstayError {
  readonly code = 'MS_WORKFLOW_ENDED'
  readonly status = 409
  readonly retryable = false

  constructor(workflowId: string, status: string) {
    super(`Recovery ${workflowId} is ${status}; nothing more can be asked of it.`)
  }
}
