import type { VmDescriptor } from '../descriptor.ts'
import { settle } from '../settle.ts'
import { offer } from './serve.ts'
import { terminateOne } from './terminate-one.ts'
import { change, rulesOf, type Turn } from './turn.ts'

/**
 * Lets a machine come to rest after a use, a passed check, a hold or a drain, and offers it to those who wait when it is
 * ready.
 *
 * @param fields what else changes
 * @param tell called with the state it comes to, before anything follows from that
 */
export async function comeToRest(
  turn: Turn,
  vm: VmDescriptor,
  fields: Partial<VmDescriptor>,
  tell: (to: VmDescriptor['state']) => void,
): Promise<VmDescriptor> {
  const changed = { ...vm, ...fields }
  const rest = settle(changed, rulesOf(turn, vm.group), turn.now)
  if (rest.state === 'terminating') {
    tell(rest.state)
    const before = await change(turn, vm, fields)
    return await terminateOne(turn, before, rest.reason)
  }
  const after = await change(turn, vm, { ...fields, state: rest.state })
  tell(rest.state)
  if (rest.state === 'ready') await offer(turn, after)
  return (await turn.tables.vm(vm.name)) ?? after
}
