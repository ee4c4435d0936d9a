import { VmStateError } from '../errors.ts'
import type { ByMaster } from '../store.ts'
import { serveFreed } from './serve.ts'
import { CLEAN } from '../descriptor.ts'
import { change, requireFence, requireState, tellVm, type Turn } from './turn.ts'

/** Source: vm-pool.md C8 (standby). @throws VmStateError also for a dirty machine */
export async function standBy(turn: Turn, input: ByMaster & { readonly name: string }): Promise<void> {
  requireFence(turn, input.fence)
  const vm = await requireState(turn, input.name, 'standBy', 'stand by')
  if (vm.boundToUser !== null) throw new VmStateError(vm.name, vm.state, 'stand by: it is dirty')
  await change(turn, vm, { state: 'standby', beforeCheck: null, ip: null })
  tellVm(turn, 'vm.standby', vm, { to: 'standby' })
}

export async function wake(turn: Turn, input: ByMaster & { readonly name: string }): Promise<void> {
  requireFence(turn, input.fence)
  const vm = await requireState(turn, input.name, 'wake', 'be started')
  await change(turn, vm, { state: 'starting' })
  tellVm(turn, 'vm.starting', vm, { to: 'starting' })
}

/** Source: vm-pool.md C17. */
export async function resetDone(turn: Turn, input: { readonly name: string; readonly ip?: string }): Promise<void> {
  const vm = await requireState(turn, input.name, 'resetDone', 'be clean again')
  await change(turn, vm, {
    ...CLEAN,
    state: 'got_ip',
    ip: input.ip ?? vm.ip,
    checkPassedAt: null,
    checkFails: 0,
    nextCheckAt: null,
  })
  tellVm(turn, 'vm.reset', vm, { to: 'got_ip' })
  await serveFreed(turn, vm)
}
