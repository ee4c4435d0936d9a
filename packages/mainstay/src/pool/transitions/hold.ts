import { NOT_HELD, type VmDescriptor } from '../descriptor.ts'
import { HoldRefusedError } from '../errors.ts'
import type { DrainMode } from '../descriptor.ts'
import type { Batch, Hold } from '../store.ts'
import { comeToRest } from './rest.ts'
import { serveFreed } from './serve.ts'
import { terminateOne } from './terminate-one.ts'
import { change, eachVm, poolRulesOf, refusal, requireState, rulesOf, tellVm, type Turn } from './turn.ts'

/** Source: vm-pool.md C12. @throws HoldRefusedError, VmStateError, VmNotFoundError */
export async function hold(turn: Turn, input: Hold): Promise<void> {
  const { until, reason, by } = input
  const vm = await requireState(turn, input.name, 'hold', 'be put on hold')
  const { maxHoldMs } = rulesOf(turn, vm.group)
  if (until <= turn.now) throw new HoldRefusedError(vm.name, 'its end is over already')
  if (until > turn.now + maxHoldMs) {
    throw new HoldRefusedError(vm.name, `a hold lasts ${Math.floor(maxHoldMs / 1000)} s at the most`)
  }
  const holdOwner = input.owner ?? vm.boundToUser ?? by
  const { holdQuota } = poolRulesOf(turn)
  const more = vm.holdUntil === null || vm.holdOwner !== holdOwner
  if (more && holdQuota > 0 && (await turn.tables.holdsOf(holdOwner)) >= holdQuota) {
    throw new HoldRefusedError(vm.name, `${holdOwner} has ${holdQuota} machines on hold, which is the most`)
  }
  const to = vm.state === 'in_use' ? 'in_use' : 'held'
  const fields = { holdUntil: until, holdReason: reason, holdBy: by, holdOwner }
  await change(turn, vm, to === 'in_use' ? fields : { ...fields, state: to, beforeCheck: null })
  tellVm(turn, 'vm.held', vm, { to, reason })
}

export async function unhold(
  turn: Turn,
  input: { readonly names: readonly string[] },
): Promise<Omit<Batch, 'changes'>> {
  return await eachVm(turn, input.names, async (vm) => {
    const because = refusal('unhold', vm)
    if (because !== null) return because
    if (vm.holdUntil === null) return 'it is not on hold'
    const tell = (to: VmDescriptor['state']): void => tellVm(turn, 'vm.unheld', vm, { to })
    if (vm.state === 'in_use') {
      await change(turn, vm, NOT_HELD)
      tell('in_use')
    } else {
      await comeToRest(turn, vm, NOT_HELD, tell)
    }
    return null
  })
}

/** Source: vm-pool.md C12. */
export async function drain(
  turn: Turn,
  input: { readonly names: readonly string[]; readonly mode: DrainMode },
): Promise<Omit<Batch, 'changes'>> {
  const { mode } = input
  const ended: VmDescriptor[] = []
  const result = await eachVm(turn, input.names, async (vm) => {
    const because = refusal('drain', vm)
    if (because !== null) return because
    const idle = IDLE_TO_DRAIN.has(vm.state)
    const aside = idle && mode === 'keep'
    const after = await change(turn, vm, { drain: mode, ...(aside ? { state: 'drained', beforeCheck: null } : {}) })
    tellVm(turn, 'vm.draining', vm, { to: after.state, reason: mode })
    if (idle && mode === 'terminate') {
      await terminateOne(turn, after, 'drained')
      ended.push(after)
    }
    return null
  })
  for (const vm of ended) await serveFreed(turn, vm)
  return result
}

/** Drained at once; the others end what is under way first. */
const IDLE_TO_DRAIN: ReadonlySet<string> = new Set([
  'got_ip',
  'check_health',
  'check_health_failed',
  'ready',
  'drained',
  'standby',
])

export async function undrain(
  turn: Turn,
  input: { readonly names: readonly string[] },
): Promise<Omit<Batch, 'changes'>> {
  return await eachVm(turn, input.names, async (vm) => {
    const because = refusal('undrain', vm)
    if (because !== null) return because
    if (vm.drain === null) return 'it is not drained'
    const tell = (to: VmDescriptor['state']): void => tellVm(turn, 'vm.undrained', vm, { to })
    if (vm.state === 'drained') {
      await comeToRest(turn, vm, { drain: null }, tell)
    } else {
      await change(turn, vm, { drain: null })
      tell(vm.state)
    }
    return null
  })
}
