/** What the rule looks at. Times in the caller's unit: seconds in compat mode, milliseconds in the native pool. */
export interface DirtyVm {
  readonly state: string
  /** Whose work the machine did last; null while it is clean. */
  readonly boundToUser: string | null
  /** When it was last given back; null if it never was. */
  readonly lastRelease: number | null
}

/**
 * Whether a dirty machine has waited for its owner for too long and is thrown away.
 *
 * Only a ready machine is: one in use ends its work first. One that nobody ever gave back has not begun to wait.
 * Exactly at the limit it stays.
 *
 * @param now in the unit of the machine's times, as is `timeout`
 *
 * Source: vm-pool.md A6.2.
 */
export function isIdleDirty({ state, boundToUser, lastRelease }: DirtyVm, now: number, timeout: number): boolean {
  return state === 'ready' && boundToUser !== null && lastRelease !== null && now - lastRelease > timeout
}
