import type { LabelOptions } from '../options.ts'

/** What a label has, over all groups that carry it. */
export interface LabelStock {
  /** Ready machines that nobody ever used, or that were made clean again. */
  readonly clean: number
  /** On their way to being clean and ready: asked for, being built, started or checked. */
  readonly arriving: number
  readonly inUse: number
  readonly standby: number
  /** All machines but those that are being destroyed. */
  readonly active: number
  /** Machines that waiting requests still need. */
  readonly waiting: number
}

export interface Target {
  /** Clean machines to have beyond those that requests wait for. */
  readonly idle: number
  /** Stopped machines to have. */
  readonly standby: number
  /** The numbers that led to `idle`. */
  readonly because: string
}

/**
 * How many clean machines a label should have idle: the minimum *beyond those in use*, and its share of those in use. A
 * label that works on demand has none until somebody wants one.
 *
 * Source: vm-pool.md C8.
 *
 * @param options as they hold now; see `labelNow`
 */
export function idleTarget(options: LabelOptions, stock: Pick<LabelStock, 'inUse' | 'waiting'>): Target {
  const { minReady, maxReady, standby, scaleFactor, scaleMax, onDemand } = options
  if (onDemand && stock.inUse + stock.waiting === 0) return { idle: 0, standby, because: 'on demand, and nobody asks' }
  const scaled = Math.ceil(scaleFactor * stock.inUse)
  const extra = scaleMax === 0 ? scaled : Math.min(scaled, scaleMax)
  const wanted = minReady + extra
  const idle = maxReady === 0 ? wanted : Math.min(wanted, Math.max(maxReady, minReady))
  return { idle, standby, because: explain({ ...options, inUse: stock.inUse, extra, wanted, idle }) }
}

function explain({
  minReady,
  maxReady,
  extra,
  inUse,
  wanted,
  idle,
}: LabelOptions & { extra: number; inUse: number; wanted: number; idle: number }): string {
  const share = extra === 0 ? '' : ` and ${extra} for the ${inUse} in use`
  const cap = idle < wanted ? `, but at most max_ready ${maxReady}` : ''
  return `min_ready ${minReady}${share}${cap}`
}

/**
 * How many machines of a label are missing, of those that are to be ready and of those that are to be stopped.
 * What is on its way counts as there, so that waiting for it starts nothing twice.
 *
 * need = wanted - (ready + building), within `min_total` and `max_total`.
 *
 * @param replacing machines that count as ready and are to be replaced, the new one first
 */
export function missing(
  options: LabelOptions,
  stock: LabelStock,
  target: Target,
  replacing = 0,
): { readonly ready: number; readonly standby: number } {
  const room = options.maxTotal === 0 ? Number.POSITIVE_INFINITY : Math.max(0, options.maxTotal - stock.active)
  const short = target.idle + stock.waiting + replacing - stock.clean - stock.arriving
  const belowTotal = options.minTotal - stock.active
  const ready = Math.min(room, Math.max(0, short, belowTotal))
  const stopped = Math.max(0, target.standby - stock.standby)
  // What is there above the idle target becomes a stopped machine by itself; only what is missing then is made.
  const above = Math.max(0, -short)
  return { ready, standby: Math.min(room - ready, Math.max(0, stopped - above)) }
}
