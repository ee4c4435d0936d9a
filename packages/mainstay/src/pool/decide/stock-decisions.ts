import type { GroupRules } from '../options.ts'
import type { PoolRequest } from '../request.ts'
import { allLabels } from '../sizing/all-labels.ts'
import type { GroupFacts, Start } from '../sizing/ledger.ts'
import { size, type Sizing } from '../sizing/size.ts'
import { available, fullBucket, refilled, spent, type Bucket } from '../sizing/token-bucket.ts'
import { IDLE_STATES } from '../state.ts'
import type { GroupCounts } from '../store.ts'
import type { Decision } from './decision.ts'
import { rulesOf } from './due-decisions.ts'
import type { DecisionMemory, PoolSnapshot, PoolStock } from './snapshot.ts'

/** Requests that holders are asked to make way for in one round. */
const MOST_PREEMPTIONS = 10

export interface StockDecisions {
  readonly decisions: readonly Decision[]
  readonly sizing: Sizing
  readonly memory: DecisionMemory
}

/**
 * What follows from how many machines there are: starts, shrinking, drains of groups that are going, room for requests
 * that a full group cannot serve, and work that nobody works on.
 *
 * Source: vm-pool.md A6.5, C4, C6, C8, C20.
 */
export function stockDecisions(
  snapshot: PoolSnapshot,
  stock: PoolStock,
  replacing: Readonly<Record<string, number>>,
): StockDecisions {
  const { now, configuration, labels, memory } = snapshot
  const buckets = refill(snapshot)
  const groups = factsOf(snapshot, stock, buckets)
  const sizing = size({
    now,
    pool: configuration.pool,
    groups,
    labels: allLabels(labels, configuration.groups),
    requests: stock.requests,
    usage: stock.usage,
    replacing,
    surplusSince: memory.surplusSince,
  })
  const decisions = [
    ...groups.flatMap(({ rules, counts }) => groupDecisions(rules, counts, snapshot)),
    ...sizing.excess.map(({ group, count, because }): Decision => ({ do: 'shed', group, count, because })),
    ...sizing.starts.map((start): Decision => ({ do: start.kind, ...withoutKind(start) })),
    ...makeWay(groups, sizing, stock),
    ...sizing.shrinks.map(({ kind, ...rest }): Decision => ({
      do: kind === 'terminate' ? 'shrink' : 'stand_by',
      ...rest,
    })),
  ]
  return { decisions, sizing, memory: { surplusSince: sizing.surplusSince, buckets: spend(buckets, sizing.starts) } }
}

function withoutKind({ group, count, because, for: whom }: Start): Omit<Start, 'kind'> {
  return { group, count, because, for: whom }
}

/** Groups in the order of the configuration, and then those that only have machines. */
function factsOf(snapshot: PoolSnapshot, stock: PoolStock, buckets: Readonly<Record<string, Bucket>>): GroupFacts[] {
  const order = new Map(snapshot.configuration.groups.map(({ id }, index) => [id, index]))
  const place = ({ group }: GroupCounts): number => order.get(group) ?? order.size
  return stock.counts
    .toSorted((a, b) => place(a) - place(b))
    .map((counts) => ({
      rules: rulesOf(snapshot, counts.group),
      counts,
      tokens: available(buckets[counts.group] ?? { tokens: 0, at: 0 }, snapshot.rules.spawnRate),
      noProvider: order.has(counts.group)
        ? (snapshot.noProvider[counts.group] ?? null)
        : 'the configuration does not have the group',
    }))
}

function refill({ stock, memory, rules, now }: PoolSnapshot): Record<string, Bucket> {
  const groups = stock?.counts ?? []
  return Object.fromEntries(
    groups.map(({ group }) => [
      group,
      refilled(memory.buckets[group] ?? fullBucket(rules.spawnRate, now), rules.spawnRate, now),
    ]),
  )
}

function spend(buckets: Readonly<Record<string, Bucket>>, starts: readonly Start[]): Record<string, Bucket> {
  const after = { ...buckets }
  for (const { group, kind, count } of starts) {
    const bucket = after[group]
    if (kind === 'spawn' && bucket !== undefined) after[group] = spent(bucket, count)
  }
  return after
}

function groupDecisions(rules: GroupRules, counts: GroupCounts, { underWay }: PoolSnapshot): Decision[] {
  const { states } = counts
  const group = rules.id
  const idle = IDLE_STATES.reduce((sum, state) => sum + (state === 'drained' ? 0 : states[state]), 0)
  const left = states.requested + states.building + states.starting + states.resetting - (underWay.building[group] ?? 0)
  return [
    ...(rules.draining !== null && idle + states.in_use > 0
      ? [{ do: 'drain_group', group, mode: rules.draining, because: 'the group is drained' } as const]
      : []),
    ...(left > 0
      ? [{ do: 'take_up', group, because: `${left} machines are being made ready, and nobody works on them` } as const]
      : []),
  ]
}

/** Requests that no start serves: idle dirty machines of others go, and holders that may be asked are asked to stop. */
function makeWay(groups: readonly GroupFacts[], { unserved }: Sizing, { requests }: PoolStock): Decision[] {
  const waiting = new Map(requests.map((request) => [request.id, request]))
  const stuck = unserved.flatMap(({ request: id, kind, missing, because }) => {
    const request = waiting.get(id)
    return request === undefined || kind !== 'full' ? [] : [{ request, missing, because }]
  })
  const evictions = groups.flatMap(({ rules, counts }): Decision[] => {
    const dirty = counts.states.ready - counts.clean
    const wanted = stuck
      .filter(({ request }) => request.groups[0] === rules.id)
      .reduce((sum, { missing }) => sum + missing, 0)
    const count = Math.min(dirty, wanted)
    if (count <= 0 || rules.draining !== null) return []
    const idleForMs = rules.reuseOpportunityMs
    const because = `${wanted} machines are waited for, and ${dirty} idle ones are bound to others`
    return [{ do: 'evict', group: rules.id, count, idleForMs, because }]
  })
  const urgent = stuck
    .filter(({ request }) => request.priority > 0)
    .toSorted((a, b) => byUrgency(a.request, b.request))
    .slice(0, MOST_PREEMPTIONS)
  return [
    ...evictions,
    ...urgent.map(({ request, because }): Decision => ({
      do: 'preempt',
      request: request.id,
      because: `priority ${request.priority} waits: ${because}`,
    })),
  ]
}

function byUrgency(a: PoolRequest, b: PoolRequest): number {
  return b.priority - a.priority || a.submittedAt - b.submittedAt
}
