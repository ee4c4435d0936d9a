/** The states that count against a group's maximum: everything that runs and is not about to end. */
export const ACTIVE_STATES = ['got_ip', 'ready', 'in_use', 'check_health', 'check_health_failed'] as const

/** What is there. Times in the caller's unit: seconds in compat mode, milliseconds in the native pool. */
export interface SpawnFacts {
  /** Machines of the group in one of {@link ACTIVE_STATES}. */
  readonly active: number
  /** Machines of the group in any state. */
  readonly total: number
  /** Spawns of the group that are under way. */
  readonly spawning: number
  /** When a spawn of the group was last started; null if never. A stored 0 is a time, not an absence. */
  readonly lastSpawnStart: number | null
}

/** What is allowed; an absent limit does not limit. */
export interface SpawnLimits {
  readonly maxTotal: number | undefined
  readonly maxSpawning: number | undefined
  readonly minInterval: number
}

/**
 * Why no machine is spawned, or null when one may be. Each text holds the numbers that decided.
 *
 * Source of all four: vm-pool.md A6.5.
 */
export type SpawnRefusal = string | null

/** Refuses when what runs and what is being spawned reach the maximum. */
export function runningLimit(
  { active, spawning }: Pick<SpawnFacts, 'active' | 'spawning'>,
  maxTotal: number | undefined,
): SpawnRefusal {
  if (maxTotal === undefined || active + spawning < maxTotal) return null
  return `${active} machines and ${spawning} spawns reach the limit of ${maxTotal}`
}

/** Refuses until the interval since the last start is over; exactly at its end it allows. A failed spawn counts too. */
export function spawnInterval(lastSpawnStart: number | null, now: number, minInterval: number): SpawnRefusal {
  if (lastSpawnStart === null || now - lastSpawnStart >= minInterval) return null
  return `the last spawn started ${now - lastSpawnStart} ago, less than the interval of ${minInterval}`
}

/** Refuses when as many spawns as allowed are under way. */
export function spawnProcessLimit(spawning: number, maxSpawning: number | undefined): SpawnRefusal {
  if (maxSpawning === undefined || spawning < maxSpawning) return null
  return `${spawning} spawns reach the limit of ${maxSpawning}`
}

/** Refuses when twice the maximum is on record: machines that refuse to end must not pile up without bound. */
export function failSafeLimit(total: number, maxTotal: number | undefined): SpawnRefusal {
  if (maxTotal === undefined || total < 2 * maxTotal) return null
  return `${total} machines in any state reach twice the limit of ${maxTotal}`
}

/**
 * The first refusal in the order of the specification: running limit, interval, spawn processes, fail-safe.
 *
 * @param now in the unit of the times
 */
export function spawnRefusal(facts: SpawnFacts, now: number, limits: SpawnLimits): SpawnRefusal {
  return (
    runningLimit(facts, limits.maxTotal) ??
    spawnInterval(facts.lastSpawnStart, now, limits.minInterval) ??
    spawnProcessLimit(facts.spawning, limits.maxSpawning) ??
    failSafeLimit(facts.total, limits.maxTotal)
  )
}
