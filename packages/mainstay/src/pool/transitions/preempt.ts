import type { PoolRequest, Refusal } from '../request.ts'
import { ACTIVE_STATES } from '../state.ts'
import type { ByMaster } from '../store.ts'
import { pickMachines } from './pick.ts'
import { requireWaiting } from './queue.ts'
import { change, requireFence, rulesOf, tellVm, type Turn } from './turn.ts'

export async function preempt(turn: Turn, input: ByMaster & { readonly requestId: string }): Promise<void> {
  requireFence(turn, input.fence)
  const request = await requireWaiting(turn, input.requestId)
  const pick = await pickMachines(turn, request)
  if (pick.vms === null) await preemptFor(turn, request, pick.refusals)
}

/**
 * Asks holders of a strictly lower class that allow it to stop, when nothing else would help a waiting request: the
 * groups whose machines it may have are full. They are taken back after the grace period.
 *
 * Source: vm-pool.md C4.
 */
export async function preemptFor(turn: Turn, request: PoolRequest, refusals: readonly Refusal[]): Promise<PoolRequest> {
  const { tables, now } = turn
  const rules = refusals.flatMap(({ kind, group }) => (kind === 'no_vm' && group !== null ? rulesOf(turn, group) : []))
  const graceMs = Math.max(...rules.map(({ preemptGraceMs }) => preemptGraceMs))
  // Those who were asked for it before have their time first.
  if (request.preemptedAt !== null && now <= request.preemptedAt + graceMs) return request
  for (const { id, maxTotal } of rules) {
    if (maxTotal === 0 || (await tables.countStates(id, ACTIVE_STATES)) < maxTotal) return request
  }
  if (rules.length === 0) return request
  let wanted = request.count
  for (const { id, preemptGraceMs } of rules) {
    const holders = wanted > 0 ? await tables.preemptible(id, request.priority, wanted) : []
    for (const vm of holders) {
      await change(turn, vm, { preemptAt: now + preemptGraceMs })
      tellVm(turn, 'vm.preempting', vm, { reason: `request ${request.id} has priority ${request.priority}` })
    }
    wanted -= holders.length
  }
  if (wanted === request.count) return request
  const after: PoolRequest = { ...request, preemptedAt: now }
  await tables.saveRequest(request, after)
  return after
}
