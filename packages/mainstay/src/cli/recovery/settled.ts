import type { Recovery, RecoveryStatus } from '../../client/index.ts'
import { OutcomeError } from '../errors.ts'

/** Which statuses are final, for every status that there is. */
const FINAL: Readonly<Record<RecoveryStatus, boolean>> = {
  pending: false,
  running: false,
  waiting: false,
  held: false,
  completed: true,
  failed: true,
  cancelled: true,
}

/** Whether the run does nothing more by itself. */
export function isSettled(recovery: Recovery): boolean {
  return FINAL[recovery.status]
}

/** @throws OutcomeError when the run ended otherwise than completed */
export function refuseUnlessCompleted({ id, status, outcome }: Recovery): void {
  if (status !== 'failed' && status !== 'cancelled') return
  const why = outcome === null ? '' : `: ${outcome}`
  throw new OutcomeError(`Recovery ${id} ${status === 'failed' ? 'failed' : 'was cancelled'}${why}`)
}
