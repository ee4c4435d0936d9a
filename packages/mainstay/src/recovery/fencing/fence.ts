import type { FenceEvidence, FenceMethod, HostName } from '../../compute/index.ts'
import { MainstayError } from '../../core/errors.ts'

/** One way to make sure that a host can no longer write to its guests' disks. */
export interface Fence {
  readonly method: FenceMethod
  /**
   * Cuts the host off and returns only what was *seen* afterwards. Doing it twice is harmless.
   *
   * @throws FenceFailedError when nothing could be seen, CommandNotFoundError, TimeoutError
   */
  cutOff(host: HostName, options: { signal: AbortSignal }): Promise<readonly FenceEvidence[]>
}

/** Finds the fences for a host, the one to be tried first at the front. */
export type FencesFor = (host: HostName) => readonly Fence[]

/** A fence method could not prove the host dead. */
export class FenceFailedError extends MainstayError {
  readonly code = 'MS_FENCE_FAILED'
  readonly status = 502
  readonly retryable = true
}
