import type { AcquireRequest, PoolRequest, Refusal } from '../request.ts'
import type { AcquireOutcome } from '../store.ts'
import { grant, leaseOf } from './grant.ts'
import { pickMachines } from './pick.ts'
import { preemptFor } from './preempt.ts'
import { evictForLimit, serveGroups } from './serve.ts'
import { tellRequest, type Turn } from './turn.ts'

type Outcome = AcquireOutcome extends infer Each ? (Each extends unknown ? Omit<Each, 'changes'> : never) : never

/**
 * Hands out machines, queues the request, or says why not.
 *
 *   asked before? ──yes──▶ the same answer
 *        │no
 *   others wait for its groups? ──no──▶ machines free? ──yes──▶ granted
 *        │yes                                │no
 *   stands in line with them: served? ──no───┴──▶ may wait? ──yes──▶ waiting, no──▶ unavailable
 *
 * Source: vm-pool.md A5.2, C1, C3, C4, C5.
 */
export async function acquire(turn: Turn, input: AcquireRequest): Promise<Outcome> {
  const { tables } = turn
  const known = await answerAgain(turn, input.id)
  if (known !== null) return known
  const request = asRequest(input, turn.now)
  if (await somebodyWaits(turn, request)) {
    await tables.saveRequest(null, request)
    await serveGroups(turn, request.groups, { owner: request.owner })
    const served = await tables.byRequest(request.id)
    if (served.length > 0) return { outcome: 'granted', leases: served.map(leaseOf) }
  } else {
    const pick = await pickMachines(turn, request)
    if (pick.vms !== null) {
      return { outcome: 'granted', leases: await grant(turn, request, pick.vms, { waited: false }) }
    }
    if (mayWait(input)) await tables.saveRequest(null, request)
  }
  return await waitOrGiveUp(turn, request, mayWait(input))
}

async function answerAgain(turn: Turn, id: string): Promise<Outcome | null> {
  const held = await turn.tables.byRequest(id)
  if (held.length > 0) return { outcome: 'granted', leases: held.map(leaseOf) }
  const request = await turn.tables.request(id)
  if (request === null) return null
  if (request.status !== 'waiting') return { outcome: 'ended', request }
  return { outcome: 'waiting', request, refusals: await refusalsOf(turn, request) }
}

async function somebodyWaits(turn: Turn, request: PoolRequest): Promise<boolean> {
  if (!turn.anyWaiting) return false
  const groups = await turn.tables.waitingGroups()
  return request.groups.some((group) => groups.includes(group))
}

async function waitOrGiveUp(turn: Turn, request: PoolRequest, waits: boolean): Promise<Outcome> {
  const refusals = await refusalsOf(turn, request)
  await evictForLimit(turn, request.owner, refusals)
  if (!waits) {
    if ((await turn.tables.request(request.id)) !== null) await turn.tables.dropRequest(request)
    return { outcome: 'unavailable', refusals }
  }
  turn.anyWaiting = true
  tellRequest(turn, 'request.waiting', request)
  const preempted = await preemptFor(turn, request, refusals)
  return { outcome: 'waiting', request: preempted, refusals }
}

/** Why a request is not served: what is missing, or, when nothing is, those who are before it. */
async function refusalsOf(turn: Turn, request: PoolRequest): Promise<readonly Refusal[]> {
  const pick = await pickMachines(turn, request)
  return pick.vms === null ? pick.refusals : [{ kind: 'queue', group: null, limit: null, count: null }]
}

export function mayWait({ waitUntil }: AcquireRequest): boolean {
  return waitUntil !== undefined && waitUntil !== null
}

export function asRequest(input: AcquireRequest, now: number): PoolRequest {
  const submittedAt = input.submittedAt ?? now
  return {
    id: input.id,
    status: 'waiting',
    groups: [...new Set(input.groups)],
    owner: input.owner,
    sandbox: input.sandbox,
    worker: input.worker,
    leaseToken: input.leaseToken,
    taskId: input.taskId ?? null,
    buildId: input.buildId ?? null,
    chroot: input.chroot ?? null,
    arch: input.arch ?? null,
    priority: input.priority ?? 0,
    weight: input.weight ?? 1,
    count: input.count ?? 1,
    preemptible: input.preemptible ?? false,
    reattach: input.reattach ?? false,
    leaseMs: input.leaseMs ?? null,
    submittedAt,
    rankAt: submittedAt,
    waitUntil: input.waitUntil ?? now,
    endedAt: null,
    reason: null,
    preemptedAt: null,
  }
}
