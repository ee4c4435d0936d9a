import { NOT_IN_USE, type VmDescriptor } from '../descriptor.ts'
import { VmLeaseLostError } from '../errors.ts'
import type { At, Batch, ByMaster, Heartbeat, Reattach, Release, VmLease } from '../store.ts'
import { matchingHold } from './failure-hold.ts'
import { leaseOf } from './grant.ts'
import { comeToRest } from './rest.ts'
import { serveFreed } from './serve.ts'
import { terminateOne } from './terminate-one.ts'
import { change, eachVm, refusal, requireFence, requireVm, rulesOf, tellVm, type Turn } from './turn.ts'

/** @throws VmNotFoundError, VmLeaseLostError */
async function requireLease(turn: Turn, name: string, token: string, what: string): Promise<VmDescriptor> {
  const vm = await requireVm(turn, name)
  if (vm.state !== 'in_use' || vm.leaseToken !== token) throw new VmLeaseLostError(name, what)
  return vm
}

/** A sign of life prolongs the lease, also within the grace. Source: vm-pool.md C5. */
export async function heartbeat(
  turn: Turn,
  input: At & { readonly name: string; readonly token: string },
): Promise<Omit<Heartbeat, 'changes'>> {
  const vm = await requireLease(turn, input.name, input.token, 'heartbeat')
  const expiresAt = turn.now + (vm.leaseMs ?? rulesOf(turn, vm.group).leaseMs)
  await change(turn, vm, { leaseExpiresAt: expiresAt, detachedAt: null })
  return { expiresAt, preemptAt: vm.preemptAt }
}

/** Source: vm-pool.md A4 (release_vm), C5, C12. */
export async function release(turn: Turn, input: Release): Promise<{ vm: VmDescriptor }> {
  const vm = await requireLease(turn, input.name, input.token, 'release')
  const hold = input.failed === true && vm.holdUntil === null ? await matchingHold(turn, vm) : {}
  const fields = { ...NOT_IN_USE, ...hold, beforeCheck: null, lastRelease: turn.now, uses: vm.uses + 1 }
  const after = await comeToRest(turn, vm, fields, (to) => tellVm(turn, 'vm.released', vm, { to }))
  await serveFreed(turn, vm)
  return { vm: turn.anyWaiting ? ((await turn.tables.vm(vm.name)) ?? after) : after }
}

/** Source: vm-pool.md A5.7, C5. */
export async function reattach(turn: Turn, input: Reattach): Promise<VmLease | null> {
  const candidates = await turn.tables.byTask(input.taskId)
  const vm = candidates.find(
    ({ state, boundToUser, reattach: may, leaseExpiresAt }) =>
      state === 'in_use' && boundToUser === input.owner && (may || leaseExpiresAt === null),
  )
  if (vm === undefined) return null
  const leaseMs = vm.leaseMs ?? rulesOf(turn, vm.group).leaseMs
  const after = await change(turn, vm, {
    worker: input.worker,
    leaseToken: input.leaseToken,
    leaseMs,
    leaseExpiresAt: turn.now + leaseMs,
    detachedAt: null,
  })
  tellVm(turn, 'vm.reattached', after)
  return leaseOf(after)
}

/** Source: vm-pool.md C4 (preemption), C5. */
export async function reclaim(
  turn: Turn,
  input: ByMaster & { readonly names: readonly string[] },
): Promise<Omit<Batch, 'changes'>> {
  requireFence(turn, input.fence)
  const ended: VmDescriptor[] = []
  const result = await eachVm(turn, input.names, async (vm) => {
    const because = refusal('reclaim', vm)
    if (because !== null) return because
    const why = lossOf(vm, turn.now, rulesOf(turn, vm.group))
    if (why === null) return 'its lease is alive'
    if (why === 'detach') {
      await change(turn, vm, { detachedAt: turn.now })
      tellVm(turn, 'vm.detached', vm, { reason: 'its worker is silent' })
      return null
    }
    await terminateOne(turn, vm, why)
    ended.push(vm)
    return null
  })
  for (const vm of ended) await serveFreed(turn, vm)
  return result
}

/** Why a machine is taken back from its holder; `detach` when it is kept for another worker; null when it is not. */
function lossOf(
  vm: VmDescriptor,
  now: number,
  { graceMs, reattachMs }: { readonly graceMs: number; readonly reattachMs: number },
): string | null {
  if (vm.preemptAt !== null && now >= vm.preemptAt) return 'a more urgent request needed it'
  if (vm.leaseExpiresAt === null) return null
  const silentMs = now - vm.leaseExpiresAt - graceMs
  if (silentMs <= 0) return null
  if (!vm.reattach) return 'its lease expired'
  if (vm.detachedAt === null) return 'detach'
  return silentMs > reattachMs ? 'nobody came back for it' : null
}
