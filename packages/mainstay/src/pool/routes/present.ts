import { formatZulu } from '../../core/timestamp.ts'
import type { VmDescriptor } from '../descriptor.ts'
import type { PoolRequest } from '../request.ts'
import type { VmLease } from '../store.ts'

const time = (ms: number | null): string | null => (ms === null ? null : formatZulu(ms))

/** A machine as the API shows it: without the secret of its lease. Times are ISO 8601 with `Z`. */
export function presentVm(vm: VmDescriptor) {
  return {
    name: vm.name,
    group: vm.group,
    state: vm.state,
    stateSince: time(vm.stateSince),
    createdAt: time(vm.createdAt),
    ip: vm.ip,
    provider: vm.provider,
    providerId: vm.providerId,
    owner: vm.boundToUser,
    sandbox: vm.sandbox,
    worker: vm.worker,
    inUseSince: time(vm.inUseSince),
    leaseExpiresAt: time(vm.leaseExpiresAt),
    requestId: vm.requestId,
    taskId: vm.taskId,
    buildId: vm.buildId,
    chroot: vm.chroot,
    arch: vm.arch,
    priority: vm.priority,
    preemptible: vm.preemptible,
    preemptAt: time(vm.preemptAt),
    checkStartedAt: time(vm.checkStartedAt),
    checkPassedAt: time(vm.checkPassedAt),
    checkFails: vm.checkFails,
    uses: vm.uses,
    lastRelease: time(vm.lastRelease),
    drain: vm.drain,
    holdUntil: time(vm.holdUntil),
    holdReason: vm.holdReason,
    holdBy: vm.holdBy,
    terminatingSince: time(vm.terminatingSince),
    terminateReason: vm.terminateReason,
    terminateAttempts: vm.terminateAttempts,
  }
}

export type PresentedVm = ReturnType<typeof presentVm>

/** A lease as its holder gets it. */
export function presentLease({ vm, token, expiresAt }: VmLease, now: number) {
  return {
    vm: presentVm(vm),
    name: vm.name,
    ip: vm.ip,
    token,
    expiresAt: time(expiresAt),
    /** So that the holder need not compare clocks. */
    expiresInMs: Math.max(0, expiresAt - now),
  }
}

export type PresentedLease = ReturnType<typeof presentLease>

/** A request as the API shows it: without the secret of the lease to be. */
export function presentRequest(request: PoolRequest) {
  const { leaseToken: _secret, submittedAt, rankAt, waitUntil, endedAt, preemptedAt, ...rest } = request
  return {
    ...rest,
    submittedAt: time(submittedAt),
    rankAt: time(rankAt),
    waitUntil: time(waitUntil),
    endedAt: time(endedAt),
    preemptedAt: time(preemptedAt),
  }
}

export type PresentedRequest = ReturnType<typeof presentRequest>
