import { MainstayError } from '../../core/errors.ts'

/**
 * The base of the errors of the compatible pool, under the names of the reference.
 *
 * Source: vm-pool.md A5.6.
 */
export abstract class BackendError extends MainstayError {
  /** The same text as `message`, under the reference's name. */
  get msg(): string {
    return this.message
  }
}

/** A machine of the pool is not in a state that allows what was asked, or its name is taken. */
export class VmError extends BackendError {
  readonly code: string = 'MS_VMM_VM'
  readonly status: number = 409
  readonly retryable: boolean = false
}

/** The pool has no usable record of a machine: it was removed meanwhile, or never was there. */
export class VmDescriptorNotFound extends VmError {
  override readonly code = 'MS_VMM_DESCRIPTOR_NOT_FOUND'
  override readonly status = 404
}

/** No machine can be handed out now: none is ready, or the owner's limit is reached. Ask again later. */
export class NoVmAvailable extends VmError {
  override readonly code = 'MS_VMM_NO_VM_AVAILABLE'
  override readonly status = 503
  override readonly retryable = true
}

/** A group has as many machines or spawns as it may have, or the last spawn was too short ago. */
export class VmSpawnLimitReached extends VmError {
  override readonly code = 'MS_VMM_SPAWN_LIMIT'
  override readonly status = 409
  override readonly retryable = true
}

/** A hook that makes or ends machines is missing, failed, or printed no usable address and name. */
export class SpawnFailError extends BackendError {
  readonly code = 'MS_VMM_SPAWN_FAILED'
  readonly status = 502
  readonly retryable = true
  /** What the hook printed. */
  readonly output: string

  constructor(message: string, options: { cause?: unknown; output?: string } = {}) {
    super(message, options)
    this.output = options.output ?? ''
  }
}

/** The pool's master was started without something that it works with. That is a mistake of the program. */
export class RuntimeError extends BackendError {
  readonly code = 'MS_VMM_RUNTIME'
  readonly status = 500
  readonly retryable = false
}
