import type { Batch, ByMaster } from '../store.ts'
import { comeToRest } from './rest.ts'
import { serveFreed } from './serve.ts'
import { change, eachVm, refusal, requireFence, tellVm, type Turn } from './turn.ts'
import type { VmDescriptor } from '../descriptor.ts'

/**
 * Takes machines out of the stock whose provider is not configured (any more). One that stood by is remembered to have.
 *
 * Source: vm-pool.md C7, C10.
 */
export async function setAside(
  turn: Turn,
  input: ByMaster & { readonly names: readonly string[]; readonly reason: string },
): Promise<Omit<Batch, 'changes'>> {
  requireFence(turn, input.fence)
  const aside: VmDescriptor[] = []
  const result = await eachVm(turn, input.names, async (vm) => {
    const because = refusal('setAside', vm)
    if (because !== null) return because
    const { state, stateSince } = vm
    const beforeCheck =
      state === 'standby' ? ({ state, stateSince, checkStartedAt: null, nextCheckAt: null } as const) : null
    await change(turn, vm, { state: 'unserved', beforeCheck })
    tellVm(turn, 'vm.unserved', vm, { to: 'unserved', reason: input.reason })
    aside.push(vm)
    return null
  })
  // They count against no limit any more.
  for (const vm of aside) await serveFreed(turn, vm)
  return result
}

/** Their provider is there again: they come to rest as after a hold. Source: vm-pool.md C7, C10. */
export async function takeBack(
  turn: Turn,
  input: ByMaster & { readonly names: readonly string[] },
): Promise<Omit<Batch, 'changes'>> {
  requireFence(turn, input.fence)
  return await eachVm(turn, input.names, async (vm) => {
    const because = refusal('takeBack', vm)
    if (because !== null) return because
    const tell = (to: VmDescriptor['state']): void => tellVm(turn, 'vm.served', vm, { to })
    if (vm.beforeCheck?.state === 'standby') {
      await change(turn, vm, { state: 'standby', beforeCheck: null })
      tell('standby')
    } else {
      await comeToRest(turn, vm, { beforeCheck: null }, tell)
    }
    return null
  })
}
