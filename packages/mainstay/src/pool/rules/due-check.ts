/** What the rule looks at. Times in the caller's unit: seconds in compat mode, milliseconds in the native pool. */
export interface CheckedVm {
  readonly state: string
  /** When the last check *started*; null if there was none. A stored 0 is a time, not an absence. */
  readonly lastHealthCheck: number | null
}

/** A machine whose check is under way or that is to be destroyed is not checked. */
const CHECKED_STATES: ReadonlySet<string> = new Set(['check_health_failed', 'ready', 'got_ip', 'in_use'])

/**
 * Whether a machine is due for a health check. Exactly at the end of the period it is not yet.
 *
 * @param now in the unit of the machine's times, as is `period`
 *
 * Source: vm-pool.md A6.3.
 */
export function isCheckDue({ state, lastHealthCheck }: CheckedVm, now: number, period: number): boolean {
  return CHECKED_STATES.has(state) && (lastHealthCheck === null || now - lastHealthCheck > period)
}
