/** How demand is learnt. */
export interface ProfileOptions {
  /** The width of a time of the week, in milliseconds; divides a week. */
  readonly slotMs: number
  /** The share of the newest week in what is expected of a slot. */
  readonly alpha: number
  /** How fast the trend forgets earlier slots: how much more or less than usual is asked for at present. */
  readonly trendAlpha: number
  /** So many machines as usual are added to what the trend saw, so that a quiet night says little. */
  readonly trendPrior: number
}

export const DEFAULT_PROFILE_OPTIONS: ProfileOptions = { slotMs: 900_000, alpha: 0.4, trendAlpha: 0.2, trendPrior: 10 }

const WEEK_MS = 7 * 86_400_000

/** The bounds of the trend: one odd hour is not believed to change the world. */
const TREND_MIN = 0.25
const TREND_MAX = 4

/** What is known of the demand for a label; plain data, so that it can be kept and read again. */
export interface DemandProfile {
  /** Machines that are usually asked for in each slot of the week, the first at Monday 0:00 UTC. Null: never seen. */
  readonly expected: readonly (number | null)[]
  /** What was asked for in the last slots, and what had been expected, the newest counting most. */
  readonly recent: { readonly seen: number; readonly expected: number }
  /** The slot that is under way, counted since the epoch, and what was asked for in it so far. */
  readonly current: { readonly slot: number; readonly count: number } | null
}

export function emptyProfile({ slotMs }: ProfileOptions = DEFAULT_PROFILE_OPTIONS): DemandProfile {
  return {
    expected: Array.from({ length: WEEK_MS / slotMs }, () => null),
    recent: { seen: 0, expected: 0 },
    current: null,
  }
}

/** The Monday 0:00 UTC before the epoch, so that slots of the week begin with the week. */
const WEEK_ORIGIN_MS = -3 * 86_400_000

/**
 * Learns from machines that were asked for: each slot of the week is smoothed exponentially over the weeks, and the trend
 * over the slots. Slots in which nothing was asked for count as zero.
 *
 * Source: vm-pool.md C13.
 *
 * @param at milliseconds since the Unix epoch, never less than in an earlier call
 */
export function observeDemand(
  profile: DemandProfile,
  at: number,
  count: number,
  options: ProfileOptions = DEFAULT_PROFILE_OPTIONS,
): DemandProfile {
  const slot = Math.floor(at / options.slotMs)
  const { current } = profile
  if (current === null) return { ...profile, current: { slot, count } }
  if (slot <= current.slot) return { ...profile, current: { slot: current.slot, count: current.count + count } }
  const expected = [...profile.expected]
  let { recent } = profile
  // A gap longer than a week says the same of every slot, once.
  const last = Math.min(slot, current.slot + expected.length)
  for (let passed = current.slot; passed < last; passed += 1) {
    const seen = passed === current.slot ? current.count : 0
    const index = indexOf(passed, expected.length, options)
    const before = expected[index] ?? null
    const kept = 1 - options.trendAlpha
    if (before !== null) recent = { seen: kept * recent.seen + seen, expected: kept * recent.expected + before }
    expected[index] = before === null ? seen : before + options.alpha * (seen - before)
  }
  return { expected, recent, current: { slot, count } }
}

/** How the last slots compared with what was expected of them: 1 is as usual. */
export function trendOf({ recent }: DemandProfile, { trendPrior }: ProfileOptions = DEFAULT_PROFILE_OPTIONS): number {
  const ratio = (recent.seen + trendPrior) / (recent.expected + trendPrior)
  return Math.min(TREND_MAX, Math.max(TREND_MIN, ratio))
}

/** How many machines are likely to be asked for in a time, by the profile and the trend; null while it was never seen. */
export function expectedDemand(
  profile: DemandProfile,
  from: number,
  to: number,
  options: ProfileOptions = DEFAULT_PROFILE_OPTIONS,
): number | null {
  const { expected } = profile
  let sum = 0
  for (let at = from; at < to;) {
    const slot = Math.floor(at / options.slotMs)
    const end = Math.min(to, (slot + 1) * options.slotMs)
    const usual = smoothed(expected, indexOf(slot, expected.length, options))
    if (usual === null) return null
    sum += (usual * (end - at)) / options.slotMs
    at = end
  }
  return sum * trendOf(profile, options)
}

/** How much the neighbours of a slot say about it, by their distance. */
const NEIGHBOURS = [3, 2, 1] as const

/** What is usual around a slot: a quarter of an hour in which by chance nobody ever came is not believed to be empty. */
function smoothed(expected: DemandProfile['expected'], index: number): number | null {
  let [sum, weights] = [0, 0]
  for (let distance = 1 - NEIGHBOURS.length; distance < NEIGHBOURS.length; distance += 1) {
    const seen = expected[(index + distance + expected.length) % expected.length] ?? null
    if (seen === null) continue
    const weight = NEIGHBOURS[Math.abs(distance)]!
    sum += weight * seen
    weights += weight
  }
  return expected[index] === null || weights === 0 ? null : sum / weights
}

function indexOf(slot: number, slots: number, { slotMs }: ProfileOptions): number {
  const sinceMonday = slot - WEEK_ORIGIN_MS / slotMs
  return ((sinceMonday % slots) + slots) % slots
}
