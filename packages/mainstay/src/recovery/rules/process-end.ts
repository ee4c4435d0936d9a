import type { NotificationStatus } from '../../ha/index.ts'

/** How far a recovery that did nothing got: its report meant nothing, or its target needed nothing. */
export type Stage = 'report' | 'target'

/**
 * What the listeners are told when the handling of a notification ends; null for nothing.
 *
 * Only what was told to have begun ends, and an attempt that failed was told of at once. A guest's report that means
 * nothing ends quietly, and a guest that must be left alone (paused, rescued) is told as an error, as Masakari does.
 *
 * Source: ha-api.md 11.3 step 6, 13.1, 13.2, 18. Pure.
 *
 * @param was the status of the notification until now
 */
export function processEnd(
  was: NotificationStatus,
  end: { status: NotificationStatus; isGuest: boolean; stage: Stage },
): 'end' | 'error' | null {
  if (was !== 'running') return null
  if (end.status === 'failed') return 'error'
  if (end.status === 'ignored' && end.isGuest) return end.stage === 'report' ? null : 'error'
  return 'end'
}
