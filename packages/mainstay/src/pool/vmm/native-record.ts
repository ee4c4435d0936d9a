import { newDescriptor, type VmDescriptor as NativeVm } from '../descriptor.ts'
import { isVmState } from '../state.ts'
import type { VmDescriptor } from './descriptor.ts'
import { VmDescriptorNotFound } from './errors.ts'
import { VM_STATES } from './state.ts'

/**
 * A machine of a compatible pool as the native pool knows it, so that it can be adopted while it is in use.
 *
 * Nothing is made up in its favour: what the reference does not tell apart (started and passed checks) counts as the older
 * of both, what it does not know (a lease, a provider) is absent. A machine in use therefore has no lease: it is left to its
 * worker until that gives it back, or until somebody goes on with its task. A time of birth is not known either; the earliest
 * time that is, stands in.
 *
 * Source: vm-pool.md C18.
 *
 * @param now milliseconds since the Unix epoch
 * @throws VmDescriptorNotFound when its state is none that the pool knows
 */
export function nativeRecord(vm: VmDescriptor, { now }: { now: number }): NativeVm {
  const { vmName: name, vmIp: ip, state, boundToUser, sandbox, usedByWorker: worker, taskId, buildId, chroot } = vm
  if (!isVmState(state)) throw new VmDescriptorNotFound(`Machine ${name} is in the unknown state ${state}.`)
  const inUseSince = milliseconds(vm.inUseSince)
  const checkStartedAt = milliseconds(vm.lastHealthCheck)
  const lastRelease = milliseconds(vm.lastRelease)
  const terminatingSince = milliseconds(vm.terminatingSince)
  const times = [inUseSince, checkStartedAt, lastRelease, terminatingSince]
  const since = { in_use: inUseSince, terminating: terminatingSince, check_health: checkStartedAt, ready: lastRelease }
  const used = state === VM_STATES.IN_USE
  const checkFails = vm.checkFails ?? 0
  const sound = (used || state === VM_STATES.READY) && checkFails === 0
  return newDescriptor({
    name,
    group: String(vm.group),
    state,
    stateSince: new Map<string, number | null>(Object.entries(since)).get(state) ?? now,
    createdAt: Math.min(now, ...times.filter((time) => time !== null)),
    ip,
    boundToUser,
    sandbox: boundToUser === null ? null : sandbox,
    boundSince: boundToUser === null ? null : (inUseSince ?? lastRelease ?? now),
    ...(used ? { worker, inUseSince: inUseSince ?? now, taskId, buildId, chroot, reattach: taskId !== null } : {}),
    checkStartedAt,
    checkPassedAt: sound ? checkStartedAt : null,
    checkFails,
    lastRelease,
    uses: vm.buildsCount ?? 0,
    terminatingSince: state === VM_STATES.TERMINATING ? (terminatingSince ?? now) : null,
  })
}

/** Unix seconds with a fraction as whole milliseconds. */
function milliseconds(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1000)
}
