import type { GroupRules } from '../options.ts'
import { failSafeLimit, runningLimit, spawnInterval, spawnProcessLimit } from '../rules/spawn-limits.ts'
import { ACTIVE_STATES } from '../state.ts'
import type { GroupCounts, VmCounts } from '../store.ts'

/** How many machines a group may start now, and what stops it from starting more. */
export interface GroupRoom {
  readonly spawns: number
  /** Null while nothing but the need limits it. */
  readonly because: string | null
}

export interface RoomFacts {
  readonly rules: GroupRules
  readonly counts: GroupCounts
  /** What the token bucket lets pass. */
  readonly tokens: number
  /** Why no provider of the group takes requests now; null when one does. */
  readonly noProvider: string | null
}

/** States in which a machine is being made. */
export function spawning(states: VmCounts): number {
  return states.requested + states.building + states.starting
}

/** Machines in any state. */
export function total(states: VmCounts): number {
  return Object.values(states).reduce((sum, count) => sum + count, 0)
}

/** Machines that count against the maximum. */
export function active(states: VmCounts): number {
  return ACTIVE_STATES.reduce((sum, state) => sum + states[state], 0)
}

/**
 * How many machines may be started in a group now: the four limits of the reference with the signs of `pool/rules`, the
 * token bucket, and whether a provider is there at all. The store asks the four again when the spawn is written down.
 *
 * Source: vm-pool.md A6.5, C8, C11.
 */
export function groupRoom({ rules, counts, tokens, noProvider }: RoomFacts, now: number): GroupRoom {
  if (rules.draining !== null) return { spawns: 0, because: 'the group is drained' }
  if (noProvider !== null) return { spawns: 0, because: noProvider }
  const maxTotal = orUndefined(rules.maxTotal)
  const underWay = spawning(counts.states)
  const facts = { active: active(counts.states) - underWay, spawning: underWay }
  const refusal =
    runningLimit(facts, maxTotal) ??
    spawnInterval(counts.lastSpawnStart, now, rules.spawnIntervalMs) ??
    spawnProcessLimit(underWay, orUndefined(rules.maxSpawns)) ??
    failSafeLimit(total(counts.states), maxTotal) ??
    (tokens < 1 ? 'spawns are started faster than the rate allows' : null)
  if (refusal !== null) return { spawns: 0, because: refusal }
  const limits: [number, string][] = [
    [limit(rules.maxTotal) - active(counts.states), `max_total ${rules.maxTotal}`],
    [limit(rules.maxSpawns) - underWay, `max_spawns ${rules.maxSpawns}`],
    [2 * limit(rules.maxTotal) - total(counts.states), `twice max_total ${rules.maxTotal}`],
    [rules.spawnIntervalMs > 0 ? 1 : Number.POSITIVE_INFINITY, `one each ${rules.spawnIntervalMs} ms`],
    [tokens, 'the rate of spawns'],
  ]
  const [spawns, because] = limits.reduce((least, each) => (each[0] < least[0] ? each : least))
  return { spawns, because: Number.isFinite(spawns) ? because : null }
}

function limit(value: number): number {
  return value === 0 ? Number.POSITIVE_INFINITY : value
}

function orUndefined(value: number): number | undefined {
  return value === 0 ? undefined : value
}
