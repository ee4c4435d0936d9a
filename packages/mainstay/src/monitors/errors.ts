import { MainstayError } from '../core/errors.ts'

/** The disk takes nothing and the memory set aside for that case is used up. */
export class SpoolFullError extends MainstayError {
  readonly code = 'MS_SPOOL_FULL'
  readonly status = 507
  readonly retryable = true

  constructor(directory: string, held: number, reason: string) {
    super(
      `The spool ${directory} cannot be written (${reason}) and ${held} reports wait in memory already, so a new one ` +
        `was refused. Free space on that file system or make it writable; the monitors report again by themselves.`,
    )
  }
}

/** Two agents must not share a spool: each would throw away what the other has written. */
export class SpoolBusyError extends MainstayError {
  readonly code = 'MS_SPOOL_BUSY'
  readonly status = 409
  readonly retryable = false

  constructor(directory: string, options?: { cause?: unknown }) {
    super(
      `Another process uses the spool ${directory}. Stop it, or give each agent of this machine a spool_dir of its own.`,
      options,
    )
  }
}

/** What an earlier run has left cannot be read, and it may hold undelivered reports. */
export class SpoolUnreadableError extends MainstayError {
  readonly code = 'MS_SPOOL_UNREADABLE'
  readonly status = 500
  readonly retryable = false

  constructor(directory: string, file: string, options?: { cause?: unknown }) {
    super(
      `The file ${file} of the spool ${directory} cannot be read; it may hold undelivered reports. Make it readable for ` +
        `the agent's user, or move it away and look into it yourself.`,
      options,
    )
  }
}

/** An option of the agent is missing, contradictory or out of range. */
export class AgentConfigError extends MainstayError {
  readonly code = 'MS_AGENT_CONFIG'
  readonly status = 400
  readonly retryable = false
}

/** The scratch directory of the configuration cannot be used. */
export class ScratchDirectoryError extends MainstayError {
  readonly code = 'MS_SCRATCH_DIRECTORY'
  readonly status = 500
  readonly retryable = true

  constructor(directory: string, options?: { cause?: unknown }) {
    super(`[DEFAULT] tempdir is ${directory}, which cannot be written. Make it writable or remove the option.`, options)
  }
}
