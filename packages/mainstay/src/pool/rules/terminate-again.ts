/** What the rule looks at. Times in the caller's unit: seconds in compat mode, milliseconds in the native pool. */
export interface TerminatingVm {
  readonly state: string
  /** When its end was last asked for; null counts as time 0. */
  readonly terminatingSince: number | null
}

/**
 * - `leave`: it is not terminating, or not for long enough
 * - `terminate`: its end is asked for once more
 * - `drop`: another record has its address, so the machine is gone whatever the provider says: forget it
 */
export type TerminateAgain = 'leave' | 'terminate' | 'drop'

/**
 * What to do with a machine that refuses to die. Exactly at the limit it is left.
 *
 * @param now in the unit of the machine's times, as is `timeout`
 * @param recordsAtAddress how many records have its address, in any group and state, itself included
 *
 * Source: vm-pool.md A6.8.
 */
export function terminateAgain(
  { state, terminatingSince }: TerminatingVm,
  now: number,
  { timeout, recordsAtAddress }: { timeout: number; recordsAtAddress: number },
): TerminateAgain {
  if (state !== 'terminating' || now - (terminatingSince ?? 0) <= timeout) return 'leave'
  return recordsAtAddress > 1 ? 'drop' : 'terminate'
}
