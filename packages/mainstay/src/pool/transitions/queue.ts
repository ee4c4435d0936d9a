import { PoolRequestEndedError, PoolRequestNotFoundError } from '../errors.ts'
import type { PoolRequest } from '../request.ts'
import type { ByMaster } from '../store.ts'
import { serveGroups } from './serve.ts'
import { poolRulesOf, requireFence, tellRequest, type Turn } from './turn.ts'

/** @throws PoolRequestNotFoundError, PoolRequestEndedError */
export async function requireWaiting(turn: Turn, id: string): Promise<PoolRequest> {
  const request = await turn.tables.request(id)
  if (request === null) {
    if ((await turn.tables.byRequest(id)).length > 0) throw new PoolRequestEndedError(id, 'granted')
    throw new PoolRequestNotFoundError(id)
  }
  if (request.status !== 'waiting') throw new PoolRequestEndedError(id, request.status)
  return request
}

export async function cancel(turn: Turn, input: { readonly id: string; readonly reason: string }): Promise<void> {
  const request = await requireWaiting(turn, input.id)
  await end(turn, request, 'cancelled', input.reason)
}

/**
 * Whose machine is of no use is as far as it was before: with its time, its priority and its rank.
 *
 * Source: vm-pool.md C4, C7 (a check at the hand-over that fails must not use the request up).
 */
export async function requeue(turn: Turn, { id }: { readonly id: string }): Promise<void> {
  const request = await turn.tables.request(id)
  if (request?.status !== 'granted' || (await turn.tables.byRequest(id)).length > 0) return
  if (turn.now >= request.waitUntil) return await turn.tables.dropRequest(request)
  const after: PoolRequest = { ...request, status: 'waiting', endedAt: null, reason: null }
  await turn.tables.saveRequest(request, after)
  turn.anyWaiting = true
  tellRequest(turn, 'request.waiting', after)
  await serveGroups(turn, after.groups, { owner: after.owner })
}

export async function reorder(
  turn: Turn,
  input: { readonly id: string; readonly priority?: number; readonly ahead?: string },
): Promise<void> {
  const request = await requireWaiting(turn, input.id)
  const before = input.ahead === undefined ? null : await requireWaiting(turn, input.ahead)
  const after: PoolRequest = {
    ...request,
    priority: input.priority ?? before?.priority ?? request.priority,
    rankAt: before === null ? request.rankAt : before.rankAt - 1,
  }
  await turn.tables.saveRequest(request, after)
  tellRequest(turn, 'request.reordered', after)
  await serveGroups(turn, request.groups, { owner: request.owner })
}

/** Source: vm-pool.md C4. */
export async function expireRequests(turn: Turn, input: ByMaster & { readonly limit: number }): Promise<void> {
  requireFence(turn, input.fence)
  const { requestRetentionMs } = poolRulesOf(turn)
  for (const request of await turn.tables.overdueRequests(turn.now, requestRetentionMs, input.limit)) {
    if (request.status !== 'waiting') {
      await turn.tables.dropRequest(request)
      continue
    }
    // Unless it was served just now, by what an earlier one had kept.
    const still = await turn.tables.request(request.id)
    if (still?.status === 'waiting') await end(turn, still, 'expired', 'it waited for as long as it wanted to')
  }
}

async function end(turn: Turn, request: PoolRequest, status: 'cancelled' | 'expired', reason: string): Promise<void> {
  const after: PoolRequest = { ...request, status, endedAt: turn.now, reason }
  await turn.tables.saveRequest(request, after)
  tellRequest(turn, `request.${status}`, after, reason)
  // A gang that goes lets go of the machines that were kept for it.
  if (request.count > 1) await serveGroups(turn, request.groups)
}

/** Source: vm-pool.md C4, C20. */
export async function serve(turn: Turn, input: { readonly groups: readonly string[] }): Promise<void> {
  await serveGroups(turn, input.groups, 'everybody')
}
