import { formatDuration } from '../core/format-duration.ts'
import { formatZulu } from '../core/timestamp.ts'
import { deadlines, type DueKind } from './deadlines.ts'
import type { VmDescriptor } from './descriptor.ts'
import type { GroupRules } from './options.ts'

/** A moment for people: when it is, and how far from now. */
export function whenText(at: number, now: number): string {
  return `at ${formatZulu(at)}, ${at > now ? `in ${formatDuration(at - now)}` : 'which is now'}`
}

/** Since when something is so, for people. */
export function sinceText(since: number, now: number): string {
  return `since ${formatZulu(since)}, for ${formatDuration(Math.max(0, now - since))}`
}

/**
 * What a machine is doing, since when and for whom, in one sentence.
 *
 * Source: vm-pool.md C14.
 */
export function activityText(vm: VmDescriptor, rules: GroupRules, now: number): string {
  return `The machine ${vm.name} ${doing(vm, rules)}, ${sinceText(vm.stateSince, now)}.`
}

function doing(vm: VmDescriptor, { maxCheckFails }: GroupRules): string {
  const provider = vm.provider === null ? 'no provider' : `the provider ${vm.provider}`
  switch (vm.state) {
    case 'requested':
      return `is to be made by ${provider}`
    case 'building':
      return `is being made by ${provider}`
    case 'got_ip':
      return `is there (${vm.ip}) and waits for its first check`
    case 'check_health':
      return 'is being checked'
    case 'check_health_failed':
      return `failed its last check; ${vm.checkFails} in a row failed, and more than ${maxCheckFails} end it`
    case 'ready':
      return vm.boundToUser === null ? 'is ready for anybody' : `is ready for ${ownerText(vm)}, who used it before`
    case 'in_use':
      return `is used by ${vm.worker ?? 'a worker'} for ${ownerText(vm)}`
    case 'resetting':
      return `is being made clean after its use for ${ownerText(vm)}`
    case 'held':
      return `is kept as it is for ${vm.holdBy ?? 'somebody'} (${vm.holdReason ?? 'no reason'})`
    case 'drained':
      return 'is set aside and not handed out'
    case 'standby':
      return 'is stopped and stands by'
    case 'starting':
      return 'is being started from stand-by'
    case 'terminating':
      return `is being destroyed (${vm.terminateReason ?? 'no reason'}); ${provider} was asked ${times(vm.terminateAttempts)}`
    case 'stuck':
      return `could not be destroyed: ${provider} was asked ${times(vm.terminateAttempts)}`
  }
}

function ownerText({ boundToUser, sandbox, taskId }: VmDescriptor): string {
  const where = sandbox === null ? '' : ` in the sandbox ${sandbox}`
  return `${boundToUser ?? 'nobody'}${where}${taskId === null ? '' : `, task ${taskId}`}`
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

/**
 * What happens to a machine next, and when, the earliest first: its deadlines, and what waits for somebody's word.
 *
 * Source: vm-pool.md C14; the deadlines are those of `deadlines`.
 */
export function upcomingTexts(
  vm: VmDescriptor,
  rules: GroupRules,
  { serverStartedAt, now }: { readonly serverStartedAt: number | null; readonly now: number },
): string[] {
  const due = deadlines(vm, rules, serverStartedAt ?? 0)
    .toSorted((a, b) => a.at - b.at)
    .map(({ kind, at }) => `${whenText(at, now)}: ${dueText(kind, vm, rules)}`)
  const otherwise = unscheduled(vm, rules)
  return otherwise === null ? due : [...due, otherwise]
}

function dueText(kind: DueKind, vm: VmDescriptor, rules: GroupRules): string {
  switch (kind) {
    case 'launch':
      return `it is given up, unless it has an address by then (launch_timeout ${formatDuration(rules.launchTimeoutMs)})`
    case 'check':
      return 'it is checked'
    case 'check_overdue':
      return 'its check is given up, unless it has ended by then'
    case 'lease':
      return `it is taken back, unless ${vm.worker ?? 'its worker'} shows life by then (${leaseText(vm, rules)})`
    case 'preempt':
      return 'it is taken back for a more urgent request, unless it is given back by then'
    case 'dirty':
      return `it is destroyed, unless ${vm.boundToUser ?? 'its owner'} wants it again by then`
    case 'hold_end':
      return 'its hold ends'
    case 'reset_overdue':
      return 'it is destroyed, unless it is clean by then'
    case 'retire':
      return 'it has served its time and goes, once it can be spared'
    case 'terminate':
      return vm.terminateAttempts === 0 ? 'its provider is asked to destroy it' : 'its provider is asked again'
  }
}

function leaseText({ detachedAt }: VmDescriptor, { graceMs, reattachMs }: GroupRules): string {
  const window = detachedAt === null ? '' : ` and ${formatDuration(reattachMs)} in which another worker may go on`
  return `its lease, ${formatDuration(graceMs)} of grace${window}`
}

/** What has no time of its own. */
function unscheduled(vm: VmDescriptor, rules: GroupRules): string | null {
  switch (vm.state) {
    case 'in_use':
      return `when it is given back: ${afterUse(vm, rules)}`
    case 'ready':
      return vm.drain === null ? 'with the next request that may have it: it is handed out' : null
    case 'standby':
      return 'when ready machines are missing: it is started'
    case 'drained':
      return `nothing by itself: "mainstay pool undrain ${vm.name}" hands it out again, "mainstay pool delete ${vm.name}" ends it`
    case 'stuck':
      return `nothing by itself: look at it at its provider; "mainstay pool delete ${vm.name}" asks the provider once more`
    default:
      return null
  }
}

function afterUse(vm: VmDescriptor, rules: GroupRules): string {
  if (vm.holdUntil !== null) return `it is kept as it is until ${formatZulu(vm.holdUntil)}`
  if (vm.drain !== null || rules.draining !== null) {
    return (vm.drain ?? rules.draining) === 'terminate' ? 'it is destroyed, because it is drained' : 'it is set aside'
  }
  switch (rules.dirtyPolicy) {
    case 'discard':
      return 'it is destroyed, because its group allows one use'
    case 'reset':
      return 'it is made clean again'
    case 'sandbox':
      return `it waits ${formatDuration(rules.dirtyTimeoutMs)} for ${vm.boundToUser ?? 'its owner'}, then it is destroyed`
  }
}
