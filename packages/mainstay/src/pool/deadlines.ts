import type { VmDescriptor } from './descriptor.ts'
import type { GroupRules } from './options.ts'

/**
 * Why a machine has to be looked at.
 *
 * - `launch`: its spawn, or its start from stand-by, takes too long
 * - `check`: it has to be checked
 * - `check_overdue`: its check takes too long
 * - `lease`: its worker is silent for longer than lease and grace
 * - `preempt`: its holder was asked to stop and has not
 * - `dirty`: it waited too long for its owner
 * - `hold_end`: its hold is over
 * - `reset_overdue`: its reset takes too long
 * - `retire`: its age or its number of uses say that it should be replaced
 * - `terminate`: its destruction has to be asked of the provider, for the first time or again
 */
export type DueKind =
  | 'launch'
  | 'check'
  | 'check_overdue'
  | 'lease'
  | 'preempt'
  | 'dirty'
  | 'hold_end'
  | 'reset_overdue'
  | 'retire'
  | 'terminate'

export interface Deadline {
  readonly kind: DueKind
  /** From this millisecond on. */
  readonly at: number
}

/**
 * When a machine has to be looked at, and why. The store keeps the earliest of these in an index, so that a cycle reads
 * what is due and nothing else.
 *
 * Limits are passed, not reached: a timeout of 120 s is due 120.001 s later (the signs of vm-pool.md part A).
 *
 * @param serverStartedAt a machine that passed no check since is due for one at once, the longest unused first (C7)
 *
 * Source: vm-pool.md A6, C2, C5, C7, C8, C12, C17.
 */
export function deadlines(vm: VmDescriptor, rules: GroupRules, serverStartedAt: number): Deadline[] {
  switch (vm.state) {
    case 'requested':
    case 'building':
      return [past('launch', vm.createdAt, rules.launchTimeoutMs)]
    case 'starting':
      return [past('launch', vm.stateSince, rules.launchTimeoutMs)]
    case 'got_ip':
    case 'check_health_failed':
      return [{ kind: 'check', at: vm.nextCheckAt ?? vm.stateSince }, ...retirement(vm, rules)]
    case 'check_health':
      return [past('check_overdue', vm.checkStartedAt ?? vm.stateSince, rules.checkMaxTimeMs)]
    case 'ready':
      return [{ kind: 'check', at: nextCheck(vm, serverStartedAt) }, ...idleDirty(vm, rules), ...retirement(vm, rules)]
    case 'in_use':
      return inUse(vm, rules)
    case 'resetting':
      return [past('reset_overdue', vm.stateSince, rules.resetTimeoutMs)]
    case 'held':
      return [{ kind: 'hold_end', at: vm.holdUntil ?? vm.stateSince }]
    case 'standby':
      return retirement(vm, rules)
    case 'terminating':
      return [{ kind: 'terminate', at: vm.terminateAgainAt ?? vm.terminatingSince ?? vm.stateSince }]
    case 'drained':
    case 'stuck':
      return []
  }
}

/** The earliest deadline; null when nothing is ever due. */
export function nextDeadline(vm: VmDescriptor, rules: GroupRules, serverStartedAt: number): number | null {
  const times = deadlines(vm, rules, serverStartedAt).map(({ at }) => at)
  return times.length === 0 ? null : Math.min(...times)
}

/** What is due now, the oldest first. */
export function dueKinds(vm: VmDescriptor, rules: GroupRules, serverStartedAt: number, now: number): DueKind[] {
  return deadlines(vm, rules, serverStartedAt)
    .filter(({ at }) => at <= now)
    .sort((a, b) => a.at - b.at)
    .map(({ kind }) => kind)
}

function past(kind: DueKind, since: number, timeoutMs: number): Deadline {
  return { kind, at: since + timeoutMs + 1 }
}

function nextCheck(vm: VmDescriptor, serverStartedAt: number): number {
  const trusted = vm.checkPassedAt !== null && vm.checkPassedAt > serverStartedAt
  return trusted ? (vm.nextCheckAt ?? vm.stateSince) : (vm.lastRelease ?? vm.createdAt)
}

function idleDirty(vm: VmDescriptor, rules: GroupRules): Deadline[] {
  if (vm.boundToUser === null || vm.lastRelease === null) return []
  return [past('dirty', vm.lastRelease, rules.dirtyTimeoutMs)]
}

function inUse(vm: VmDescriptor, rules: GroupRules): Deadline[] {
  const found: Deadline[] = []
  // One that was adopted from another pool has no lease and is left to its worker.
  if (vm.leaseExpiresAt !== null) {
    const window = vm.detachedAt === null ? 0 : rules.reattachMs
    found.push(past('lease', vm.leaseExpiresAt, rules.graceMs + window))
  }
  if (vm.preemptAt !== null) found.push({ kind: 'preempt', at: vm.preemptAt })
  if (rules.checkInUse) found.push({ kind: 'check', at: vm.nextCheckAt ?? vm.stateSince })
  return found
}

/** C8: only one deadline for all reasons, because one thing follows from them: it is replaced. */
function retirement(vm: VmDescriptor, rules: GroupRules): Deadline[] {
  const { maxAgeMs, maxUses, maxReadyAgeMs, maxTimeInSandboxMs } = rules
  const times: number[] = []
  if (maxAgeMs > 0) times.push(vm.createdAt + maxAgeMs + 1)
  if (maxUses > 0 && vm.uses >= maxUses) times.push(vm.lastRelease ?? vm.createdAt)
  if (maxReadyAgeMs > 0 && vm.state === 'ready' && vm.boundToUser === null) {
    times.push((vm.lastRelease ?? vm.createdAt) + maxReadyAgeMs + 1)
  }
  if (maxTimeInSandboxMs > 0 && vm.boundSince !== null) times.push(vm.boundSince + maxTimeInSandboxMs + 1)
  if (times.length === 0) return []
  return [{ kind: 'retire', at: Math.max(Math.min(...times), vm.retireAfter ?? 0) }]
}
