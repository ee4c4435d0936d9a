import { isOpen, successRateAt, type ProviderHealth, type ProviderHealthOptions } from './provider-health.ts'

/** A provider that could make the machine. */
export interface ProviderCandidate {
  readonly name: string
  /** The highest goes first. A point is a rank: see {@link effectivePriority}. */
  readonly priority: number
  /** Among equals, its share of the machines. 0: only when no other of its rank is left. */
  readonly weight: number
  /** Whether it is being drained: nothing new is made there. */
  readonly draining: boolean
  readonly health: ProviderHealth
}

/** Why a provider is not asked, and until when; null where only a person can change it. */
export interface ProviderRefusal {
  readonly provider: string
  readonly because: 'draining' | 'disabled' | 'circuit open' | 'being probed' | 'too many requests' | 'tried already'
  readonly until: number | null
}

export type ProviderChoice =
  | {
      readonly choice: 'use'
      readonly provider: string
      /** Whether it is the one attempt that finds out if the provider works again. */
      readonly probe: boolean
      readonly refusals: readonly ProviderRefusal[]
    }
  /** None can be asked now; ask again then. */
  | { readonly choice: 'wait'; readonly until: number; readonly refusals: readonly ProviderRefusal[] }
  /** None can be asked until a person does something. */
  | { readonly choice: 'none'; readonly refusals: readonly ProviderRefusal[] }

export interface ChooseProviderInput {
  readonly candidates: readonly ProviderCandidate[]
  readonly now: number
  /** A random number in [0, 1): the place among equals. */
  readonly chance: number
  readonly options: ProviderHealthOptions
  /** Names of those that have refused this request already. */
  readonly tried?: ReadonlySet<string>
}

/**
 * Which provider is asked to make a machine: of those that may be asked, the ones of the highest effective priority, and
 * among them one by weight, whatever their order in the list.
 *
 * Source: vm-pool.md C11.
 */
export function chooseProvider({ candidates, now, chance, options, tried }: ChooseProviderInput): ProviderChoice {
  const judged = candidates.map((candidate) => ({ candidate, refusal: refusalOf(candidate, now, options, tried) }))
  const refusals = judged.flatMap(({ refusal }) => refusal ?? [])
  const free = judged.flatMap(({ candidate, refusal }) => (refusal === null ? [candidate] : []))
  if (free.length > 0) {
    const fastest = fastestStartMs(candidates)
    const ranked = free.map((each) => ({ each, rank: effectivePriority(each, { now, fastest, options }) }))
    const highest = Math.max(...ranked.map(({ rank }) => rank))
    const equals = ranked.filter(({ rank }) => rank === highest).map(({ each }) => each)
    const chosen = byWeight(equals, chance)
    return { choice: 'use', provider: chosen.name, probe: isOpen(chosen.health), refusals }
  }
  const times = refusals.flatMap(({ until }) => until ?? [])
  if (times.length === 0) return { choice: 'none', refusals }
  return { choice: 'wait', until: Math.min(...times), refusals }
}

/** Null when the provider may be asked. */
export function refusalOf(
  { name: provider, draining, health }: ProviderCandidate,
  now: number,
  { probeTimeoutMs }: ProviderHealthOptions,
  tried: ReadonlySet<string> = new Set(),
): ProviderRefusal | null {
  if (draining) return { provider, because: 'draining', until: null }
  if (health.disabledBecause !== null) return { provider, because: 'disabled', until: null }
  if (now < health.nextAttemptAt) return { provider, because: 'too many requests', until: health.nextAttemptAt }
  if (isOpen(health)) {
    if (now < health.openUntil) return { provider, because: 'circuit open', until: health.openUntil }
    const probeUntil = (health.probingSince ?? Number.NEGATIVE_INFINITY) + probeTimeoutMs
    if (now < probeUntil) return { provider, because: 'being probed', until: probeUntil }
  }
  return tried.has(provider) ? { provider, because: 'tried already', until: null } : null
}

/** A quarter of all attempts in vain costs a rank. */
const SUCCESS_STEP = 0.25

/** Starting twice as slowly as the fastest costs a rank, but never more than this many. */
const MAX_SLOW_RANKS = 2

/**
 * The priority that a provider has earned: a falling success rate and a slow start cost whole ranks, so that small
 * differences leave equals equal.
 *
 * @param fastest the shortest average start of all candidates, in milliseconds, or null when none is known
 */
export function effectivePriority(
  { priority, health }: Pick<ProviderCandidate, 'priority' | 'health'>,
  { now, fastest, options }: { now: number; fastest: number | null; options: ProviderHealthOptions },
): number {
  const failing = Math.floor((1 - successRateAt(health, now, options)) / SUCCESS_STEP)
  const slower = health.startMs === null || fastest === null ? 1 : health.startMs / Math.max(1, fastest)
  const slow = Math.min(MAX_SLOW_RANKS, Math.max(0, Math.floor(Math.log2(Math.max(1, slower)))))
  return priority - failing - slow
}

export function fastestStartMs(candidates: readonly Pick<ProviderCandidate, 'health'>[]): number | null {
  const known = candidates.flatMap(({ health }) => health.startMs ?? [])
  return known.length === 0 ? null : Math.min(...known)
}

/** @param equals at least one */
function byWeight(equals: readonly ProviderCandidate[], chance: number): ProviderCandidate {
  const total = equals.reduce((sum, { weight }) => sum + Math.max(0, weight), 0)
  let left = chance * total
  for (const each of equals) {
    left -= Math.max(0, each.weight)
    if (left < 0) return each
  }
  // All weights are 0: each gets the same share.
  return equals[Math.min(equals.length - 1, Math.floor(chance * equals.length))]!
}
