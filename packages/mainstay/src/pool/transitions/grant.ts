import type { VmDescriptor } from '../descriptor.ts'
import type { PoolRequest } from '../request.ts'
import type { VmLease } from '../store.ts'
import { change, rulesOf, tellRequest, tellVm, type Turn } from './turn.ts'

/**
 * Hands machines out: `ready` becomes `in_use`, bound to the owner and sandbox, with a lease.
 *
 * @param waited whether the request was in the queue
 *
 * Source: vm-pool.md A4 (acquire_vm), C5.
 */
export async function grant(
  turn: Turn,
  request: PoolRequest,
  vms: readonly VmDescriptor[],
  { waited }: { waited: boolean },
): Promise<VmLease[]> {
  const leases: VmLease[] = []
  for (const vm of vms) {
    const leaseMs = request.leaseMs ?? rulesOf(turn, vm.group).leaseMs
    const after = await change(turn, vm, {
      state: 'in_use',
      boundToUser: request.owner,
      sandbox: request.sandbox,
      boundSince: vm.boundToUser === null ? turn.now : vm.boundSince,
      worker: request.worker,
      inUseSince: turn.now,
      requestId: request.id,
      taskId: request.taskId,
      buildId: request.buildId,
      chroot: request.chroot,
      arch: request.arch,
      leaseToken: request.leaseToken,
      leaseMs,
      leaseExpiresAt: turn.now + leaseMs,
      reattach: request.reattach,
      priority: request.priority,
      preemptible: request.preemptible,
    })
    tellVm(turn, 'vm.acquired', after, { from: vm.state })
    leases.push(leaseOf(after))
  }
  if (waited) {
    const after: PoolRequest = { ...request, status: 'granted', endedAt: turn.now }
    await turn.tables.saveRequest(request, after)
    tellRequest(turn, 'request.granted', after)
  }
  if (turn.anyWaiting) await turn.tables.setServed(request.owner, turn.now)
  return leases
}

export function leaseOf(vm: VmDescriptor): VmLease {
  return { vm, token: vm.leaseToken ?? '', expiresAt: vm.leaseExpiresAt ?? 0 }
}
