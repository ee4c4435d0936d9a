import { NOT_HELD, NOT_IN_USE, type VmDescriptor } from '../descriptor.ts'
import { change, tellVm, type Turn } from './turn.ts'

/** Marks a machine for destruction; whoever held it has lost it. */
export async function terminateOne(turn: Turn, vm: VmDescriptor, reason: string): Promise<VmDescriptor> {
  const after = await change(turn, vm, {
    state: 'terminating',
    ...NOT_IN_USE,
    ...NOT_HELD,
    beforeCheck: null,
    terminatingSince: turn.now,
    terminateReason: reason,
    terminateAttempts: vm.state === 'terminating' ? vm.terminateAttempts : 0,
    terminateAgainAt: null,
  })
  tellVm(turn, 'vm.terminating', vm, { to: 'terminating', reason })
  return after
}
