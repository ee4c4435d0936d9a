/** One use of a machine, as it was recorded. Times in milliseconds. */
export interface RecordedUse {
  readonly at: number
  readonly holdMs: number
}

export interface BackTestOptions {
  /** How long a machine takes from its request to being ready. */
  readonly spawnMs: number
  /** How often the target is looked at. */
  readonly tickMs: number
  /** How long there are too many before one goes. */
  readonly scaleDownDelayMs: number
}

export interface BackTestReport {
  readonly uses: number
  /** Waiting times in milliseconds. */
  readonly waitMs: { readonly mean: number; readonly p50: number; readonly p95: number; readonly max: number }
  /** What idling cost. */
  readonly idleVmHours: number
  readonly spawned: number
}

/**
 * What a way of sizing would have done with recorded demand: machines are used once, and made as the pool makes them:
 * target and waiting, less what is ready and on its way.
 *
 * Source: vm-pool.md C13.
 *
 * @param uses in the order of their times
 * @param target how many idle machines are wanted at a time; called with growing times
 * @param seen told of each use when it comes, so that a forecast learns on the way
 */
export function backTest(
  uses: readonly RecordedUse[],
  target: (now: number) => number,
  options: BackTestOptions,
  seen: (use: RecordedUse) => void = () => {},
): BackTestReport {
  const { spawnMs, tickMs, scaleDownDelayMs } = options
  const [first] = uses
  const last = uses.at(-1)
  if (first === undefined || last === undefined) throw new RangeError('A back-test needs at least one recorded use.')
  const building: number[] = []
  const queue: number[] = []
  const waits: number[] = []
  let [idle, idleMs, spawned] = [0, 0, 0]
  let surplusSince: number | null = null
  let next = 0
  let now = first.at - spawnMs - tickMs
  const end = last.at + spawnMs
  while (now < end || queue.length > 0) {
    while (idle > 0 && queue.length > 0) {
      waits.push(now - queue.shift()!)
      idle -= 1
    }
    const wanted = target(now)
    const need = wanted + queue.length - idle - building.length
    for (let made = 0; made < need; made += 1) building.push(now + spawnMs)
    spawned += Math.max(0, need)
    surplusSince = idle > wanted ? (surplusSince ?? now) : null
    if (surplusSince !== null && now - surplusSince >= scaleDownDelayMs) idle = wanted
    const arrival = uses[next]?.at ?? Number.POSITIVE_INFINITY
    const ready = building[0] ?? Number.POSITIVE_INFINITY
    const then = Math.min(now + tickMs, arrival, ready)
    idleMs += idle * (then - now)
    now = then
    if (now === ready) {
      building.shift()
      idle += 1
    }
    for (; uses[next] !== undefined && uses[next]!.at <= now; next += 1) {
      seen(uses[next]!)
      queue.push(uses[next]!.at)
    }
  }
  return { uses: waits.length, waitMs: summary(waits), idleVmHours: idleMs / 3_600_000, spawned }
}

function summary(waits: readonly number[]): BackTestReport['waitMs'] {
  const sorted = waits.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  const mean = sorted.reduce((sum, wait) => sum + wait, 0) / Math.max(1, sorted.length)
  return { mean, p50: at(0.5), p95: at(0.95), max: sorted.at(-1) ?? 0 }
}
