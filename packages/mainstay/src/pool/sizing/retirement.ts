import type { VmDescriptor } from '../descriptor.ts'
import type { GroupRules } from '../options.ts'

/**
 * Why a machine should be replaced.
 *
 * - `uses`: nobody gets it any more, so it counts for nothing and goes
 * - `age`: it is worn; a replacement comes first, then it goes, whatever the minimum
 * - `ready_age`: it idles for too long; the minimum keeps it nevertheless
 * - `sandbox_time`: it is bound to one sandbox for too long; it never counts as idle for others
 */
export type RetirementReason = 'age' | 'uses' | 'ready_age' | 'sandbox_time'

type Aged = Pick<VmDescriptor, 'state' | 'createdAt' | 'uses' | 'boundToUser' | 'boundSince' | 'lastRelease'>
type AgeRules = Pick<GroupRules, 'maxAgeMs' | 'maxUses' | 'maxReadyAgeMs' | 'maxTimeInSandboxMs'>

/**
 * Whether a machine has served its time, the weightiest reason first; null when it has not. At exactly its limit of
 * age it has, and with exactly its number of uses.
 *
 * Source: vm-pool.md C8.
 */
export function retirement(vm: Aged, rules: AgeRules, now: number): RetirementReason | null {
  const over = (limitMs: number, since: number | null): boolean =>
    limitMs > 0 && since !== null && now - since >= limitMs
  if (rules.maxUses > 0 && vm.uses >= rules.maxUses) return 'uses'
  if (over(rules.maxAgeMs, vm.createdAt)) return 'age'
  if (vm.boundToUser !== null) return over(rules.maxTimeInSandboxMs, vm.boundSince) ? 'sandbox_time' : null
  return vm.state === 'ready' && over(rules.maxReadyAgeMs, vm.lastRelease ?? vm.createdAt) ? 'ready_age' : null
}
