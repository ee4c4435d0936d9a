import type { DueKind } from '../deadlines.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { groupRules, type GroupRules } from '../options.ts'
import { isIdleDirty } from '../rules/idle-dirty.ts'
import { isCheckOverlong } from '../rules/overlong-check.ts'
import { terminateAgain } from '../rules/terminate-again.ts'
import type { Decision } from './decision.ts'
import type { PoolSnapshot } from './snapshot.ts'

/** In which order the reasons of one machine are looked at: its end before its care. The first that decides counts. */
const ORDER: readonly DueKind[] = [
  'terminate',
  'launch',
  'lease',
  'preempt',
  'hold_end',
  'dirty',
  'reset_overdue',
  'check_overdue',
  'check',
]

/**
 * What is done about machines of which something is due; retirement is decided by `retireDecisions`, because it needs to
 * know how many machines there are.
 *
 * Source: vm-pool.md A6.2, A6.3, A6.7, A6.8, C5, C6, C7, C12, C17.
 */
export function dueDecisions(snapshot: PoolSnapshot): Decision[] {
  const room = { checks: snapshot.underWay.checkRoom, destroys: snapshot.underWay.destroyRoom }
  return (snapshot.due ?? []).flatMap(({ vm, kinds }) => {
    const rules = rulesOf(snapshot, vm.group)
    for (const kind of ORDER) {
      if (!kinds.includes(kind)) continue
      const decision = decide(kind, vm, rules, snapshot)
      if (decision === null) continue
      if (decision.do === 'check' && (room.checks -= 1) < 0) return []
      if (decision.do === 'destroy' && (room.destroys -= 1) < 0) return []
      return [decision]
    }
    return []
  })
}

/** A group's rules; a machine of a group that nobody knows goes by the defaults. */
export function rulesOf({ configuration }: Pick<PoolSnapshot, 'configuration'>, group: string): GroupRules {
  return configuration.groups.find(({ id }) => id === group) ?? groupRules({ id: group })
}

function decide(kind: DueKind, vm: VmDescriptor, rules: GroupRules, snapshot: PoolSnapshot): Decision | null {
  const { now } = snapshot
  const about = { vm: vm.name, group: vm.group }
  switch (kind) {
    case 'terminate':
      return destroy(vm, rules, snapshot)
    case 'launch':
      return { do: 'abandon_spawn', ...about, because: `no address after launch_timeout ${rules.launchTimeoutMs} ms` }
    case 'lease':
      return { do: 'reclaim', ...about, because: silence(vm, rules, now) }
    case 'preempt':
      return { do: 'reclaim', ...about, because: `its holder did not stop within ${rules.preemptGraceMs} ms` }
    case 'hold_end':
      return { do: 'unhold', ...about, because: `its hold (${vm.holdReason ?? 'no reason'}) is over` }
    case 'dirty':
      if (!isIdleDirty(vm, now, rules.dirtyTimeoutMs)) return null
      return {
        do: 'terminate',
        ...about,
        from: ['ready'],
        because: `idle for ${vm.boundToUser} for more than ${rules.dirtyTimeoutMs} ms`,
      }
    case 'reset_overdue':
      return {
        do: 'terminate',
        ...about,
        from: ['resetting'],
        because: `not clean again after ${rules.resetTimeoutMs} ms`,
      }
    case 'check_overdue':
      if (!isCheckOverlong({ state: vm.state, lastHealthCheck: vm.checkStartedAt }, now, rules.checkMaxTimeMs))
        return null
      return { do: 'give_up_check', ...about, because: `its check takes longer than ${rules.checkMaxTimeMs} ms` }
    case 'check':
      return { do: 'check', ...about, because: checkReason(vm, now) }
    case 'retire':
      return null
  }
}

function destroy(vm: VmDescriptor, rules: GroupRules, snapshot: PoolSnapshot): Decision | null {
  const { now, underWay } = snapshot
  const { terminateAttempts, terminateMaxPauseMs } = snapshot.rules
  const about = { vm: vm.name, group: vm.group }
  const asked = vm.terminateAttempts
  // The provider's own identifier says which machine is meant, so a shared address drops nothing here.
  const again = terminateAgain(vm, now, { timeout: -1, recordsAtAddress: 1 })
  if (again === 'leave' || underWay.destroying.has(vm.name)) return null
  if (asked >= terminateAttempts) {
    return { do: 'give_up_destroying', ...about, because: `asked ${asked} times, and it is still there` }
  }
  const pauseMs = Math.min(terminateMaxPauseMs, rules.terminatingTimeoutMs * 2 ** asked)
  const because = asked === 0 ? (vm.terminateReason ?? 'to be destroyed') : `still there after ${asked} attempts`
  return { do: 'destroy', ...about, attempt: asked + 1, againAt: now + pauseMs, because }
}

function silence(vm: VmDescriptor, rules: GroupRules, now: number): string {
  const silentMs = now - (vm.leaseExpiresAt ?? now)
  const window = vm.reattach ? ` and its window of ${rules.reattachMs} ms to come back` : ''
  return `its lease ended ${silentMs} ms ago, more than the grace of ${rules.graceMs} ms${window}`
}

function checkReason(vm: VmDescriptor, now: number): string {
  if (vm.checkStartedAt === null) return 'it was never checked'
  return `its last check was ${now - vm.checkStartedAt} ms ago`
}
