import type { CheckedVm } from './due-check.ts'

/**
 * Whether a check has taken so long that its result is not waited for any more: whoever ran it is gone. A check without
 * a start counts from time 0. Exactly at the limit it is still waited for.
 *
 * @param now in the unit of the machine's times, as is `maxTime`
 *
 * Source: vm-pool.md A6.7.
 */
export function isCheckOverlong({ state, lastHealthCheck }: CheckedVm, now: number, maxTime: number): boolean {
  return state === 'check_health' && now - (lastHealthCheck ?? 0) > maxTime
}
