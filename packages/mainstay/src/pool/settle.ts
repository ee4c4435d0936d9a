import type { VmDescriptor } from './descriptor.ts'
import type { GroupRules } from './options.ts'

/** What a machine becomes when nobody works with it and nothing is under way. */
export type Rest =
  | { readonly state: 'ready' | 'got_ip' | 'check_health_failed' | 'held' | 'drained' | 'resetting' }
  | { readonly state: 'terminating'; readonly reason: string }

/**
 * Where a machine comes to rest: after a use, a passed check, a hold or a drain.
 *
 * A hold wins over everything, because somebody wants to see the machine as it is; then comes the drain, then what the
 * group does with dirty machines, then the failures of its checks.
 *
 * Source: vm-pool.md A4 (release), C12, C17.
 */
export function settle(vm: VmDescriptor, rules: GroupRules, now: number): Rest {
  if (vm.holdUntil !== null && vm.holdUntil > now) return { state: 'held' }
  const drain = vm.drain ?? rules.draining
  if (drain === 'terminate') return { state: 'terminating', reason: 'drained' }
  if (drain === 'keep') return { state: 'drained' }
  const dirty = vm.boundToUser !== null && vm.lastRelease !== null
  if (dirty && rules.dirtyPolicy === 'discard') return { state: 'terminating', reason: 'used once' }
  if (dirty && rules.dirtyPolicy === 'reset') return { state: 'resetting' }
  if (vm.checkFails > 0) return { state: 'check_health_failed' }
  if (vm.checkPassedAt === null && vm.uses === 0) return { state: 'got_ip' }
  return { state: 'ready' }
}
