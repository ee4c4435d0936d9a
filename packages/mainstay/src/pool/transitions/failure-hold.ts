import type { VmDescriptor } from '../descriptor.ts'
import type { FailureHold } from '../store.ts'
import { poolRulesOf, rulesOf, type Turn } from './turn.ts'

/**
 * The hold that somebody ordered for the next use that fails, if this is one; the order is used up. Where the quota is
 * full the machine is not held and the order stays.
 *
 * Source: vm-pool.md C12.
 */
export async function matchingHold(turn: Turn, vm: VmDescriptor): Promise<Partial<VmDescriptor>> {
  const rules = rulesOf(turn, vm.group)
  const orders = await turn.tables.failureHolds()
  const order = orders.find((each) => each.expiresAt > turn.now && matches(each, vm, rules.labels))
  if (order === undefined) return {}
  const holdOwner = vm.boundToUser ?? order.by
  const { holdQuota } = poolRulesOf(turn)
  if (holdQuota > 0 && (await turn.tables.holdsOf(holdOwner)) >= holdQuota) return {}
  await turn.tables.dropFailureHold(order.id)
  const holdUntil = turn.now + Math.min(order.holdMs, rules.maxHoldMs)
  return { holdUntil, holdReason: order.reason, holdBy: order.by, holdOwner }
}

function matches({ match }: FailureHold, vm: VmDescriptor, labels: readonly string[]): boolean {
  if ('taskId' in match) return match.taskId === vm.taskId
  if ('group' in match) return match.group === vm.group
  return labels.includes(match.label)
}
