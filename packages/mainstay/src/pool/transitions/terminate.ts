import type { VmDescriptor } from '../descriptor.ts'
import { VmLeaseLostError, VmNotFoundError, VmStateError } from '../errors.ts'
import { ENDING_STATES } from '../state.ts'
import type { At, Batch, ByMaster, Terminate } from '../store.ts'
import { serveFreed } from './serve.ts'
import { terminateOne } from './terminate-one.ts'
import { change, eachVm, refusal, requireFence, requireState, requireVm, rulesOf, tellVm, type Turn } from './turn.ts'

/**
 * Source: vm-pool.md A4 (terminate_vm, with its order of refusals), C5.
 *
 * @throws VmLeaseLostError when a token is shown that is not the holder's; then nothing is changed
 */
export async function terminate(turn: Turn, input: Terminate): Promise<Omit<Batch, 'changes'>> {
  const { names, by, reason } = input
  if ('fence' in by) requireFence(turn, by.fence)
  if ('token' in by) await requireHolder(turn, names, by.token)
  const allowed = input.allowedFrom ?? null
  const ended: VmDescriptor[] = []
  const result = await eachVm(turn, names, async (vm) => {
    if (allowed !== null && !allowed.includes(vm.state)) return `it is ${vm.state}`
    if (vm.state === 'terminating' && allowed === null) return 'it is terminating already'
    const sure = 'token' in by || ('operator' in by && by.force) || allowed?.includes('in_use') === true
    if (vm.state === 'in_use' && rulesOf(turn, vm.group).protectInUse && !sure) return 'it is in use'
    await terminateOne(turn, vm, reason)
    ended.push(vm)
    return null
  })
  for (const vm of ended) await serveFreed(turn, vm)
  return result
}

async function requireHolder(turn: Turn, names: readonly string[], token: string): Promise<void> {
  for (const name of names) {
    const vm = await requireVm(turn, name)
    if (vm.state !== 'in_use' || vm.leaseToken !== token) throw new VmLeaseLostError(name, 'termination')
  }
}

export async function terminationAsked(
  turn: Turn,
  input: ByMaster & { readonly vms: readonly { readonly name: string; readonly againAt: number }[] },
): Promise<Omit<Batch, 'changes'>> {
  requireFence(turn, input.fence)
  const againAt = new Map(input.vms.map((vm) => [vm.name, vm.againAt]))
  return await eachVm(turn, [...againAt.keys()], async (vm) => {
    const because = refusal('terminationAsked', vm)
    if (because !== null) return because
    await change(turn, vm, {
      terminateAttempts: vm.terminateAttempts + 1,
      terminateAgainAt: againAt.get(vm.name)!,
    })
    return null
  })
}

export async function markStuck(turn: Turn, input: ByMaster & { readonly name: string }): Promise<void> {
  requireFence(turn, input.fence)
  const vm = await requireState(turn, input.name, 'markStuck', 'be called stuck')
  await change(turn, vm, { state: 'stuck' })
  tellVm(turn, 'vm.stuck', vm, { to: 'stuck', reason: vm.terminateReason })
  await serveFreed(turn, vm)
}

/** @throws VmStateError unless it is to be destroyed; VmNotFoundError */
export async function remove(turn: Turn, input: At & { readonly name: string }): Promise<void> {
  const vm = await requireVm(turn, input.name)
  if (!ENDING_STATES.includes(vm.state)) throw new VmStateError(vm.name, vm.state, 'leave the pool')
  await dropOne(turn, vm, vm.terminateReason)
}

export async function lost(
  turn: Turn,
  input: ByMaster & { readonly name: string; readonly reason: string },
): Promise<void> {
  requireFence(turn, input.fence)
  const vm = await turn.tables.vm(input.name)
  if (vm === null) throw new VmNotFoundError(input.name)
  await dropOne(turn, vm, input.reason)
}

/** Forgets a machine, and gives what its owner may have now to whoever waits for it. */
export async function dropOne(turn: Turn, vm: VmDescriptor, reason: string | null): Promise<void> {
  await turn.tables.drop(vm)
  tellVm(turn, 'vm.removed', vm, { to: null, reason })
  await serveFreed(turn, vm)
}
