import type { LabelOptions } from '../options.ts'
import { active } from './group-room.ts'
import type { GroupFacts, Ledger } from './ledger.ts'
import { carries } from './ledger.ts'
import { labelNow } from './schedule.ts'
import { idleTarget, type LabelStock, type Target } from './target.ts'

/** Clean machines that leave the ready ones. */
export interface Shrink {
  readonly group: string
  /** `terminate` destroys them, `stand_by` stops them. */
  readonly kind: 'terminate' | 'stand_by'
  readonly count: number
  readonly because: string
}

/** Since when each label has had more than it wants, in milliseconds since the Unix epoch. */
export type SurplusSince = Readonly<Record<string, number>>

/** What a label can spare, and what is left of it while groups are gone through. */
interface Allowance {
  readonly label: string
  /** Above its idle target. */
  spare: number
  /** Of these, what may be destroyed now. */
  terminate: number
  /** Stopped machines that it misses. */
  standBy: number
  readonly because: string
}

/**
 * Which idle machines are too many. A label gives machines up once it has had too many for `scale_down_delay`, or at once
 * above `max_ready`; a machine goes only when every label that its group serves can spare it, the groups that are
 * preferred least first.
 *
 * The minimum is never touched: what is kept for `min_ready`, by the share of those in use or for `min_total`, is no
 * surplus. So a pool that nobody uses stands still.
 *
 * Source: vm-pool.md C8.
 */
export function shrinkLabels(
  ledger: Ledger,
  labels: readonly LabelOptions[],
  groups: readonly GroupFacts[],
  before: SurplusSince,
): { readonly shrinks: readonly Shrink[]; readonly surplusSince: SurplusSince } {
  const surplusSince: Record<string, number> = {}
  const allowances = labels.map((configured): Allowance => {
    const { options } = labelNow(configured, ledger.now)
    const stock = ledger.stock(options.label)
    const target = idleTarget(options, stock)
    if (stock.clean + stock.arriving > target.idle) {
      surplusSince[options.label] = Math.min(ledger.now, before[options.label] ?? ledger.now)
    }
    return allowance(options, stock, target, ledger.now - (surplusSince[options.label] ?? ledger.now))
  })
  const shrinks = groups.toReversed().flatMap(({ rules }) => {
    const concerned = allowances.filter(({ label }) => carries(rules, label))
    return shrinkGroup(rules.id, ledger.stock(rules.id).clean, concerned)
  })
  return { shrinks, surplusSince }
}

function shrinkGroup(group: string, clean: number, concerned: readonly Allowance[]): Shrink[] {
  const [first] = concerned
  if (first === undefined) return []
  const spare = Math.min(clean, ...concerned.map((each) => each.spare))
  const stopped = Math.max(0, Math.min(spare, Math.max(...concerned.map((each) => each.standBy))))
  const most = Math.min(spare - stopped, ...concerned.map((each) => each.terminate))
  const ended = Math.max(0, most)
  for (const each of concerned) {
    each.spare -= stopped + ended
    each.terminate = Math.min(each.terminate - ended, each.spare)
    each.standBy -= stopped
  }
  const because = concerned.find((each) => each.because !== '')?.because ?? ''
  return [
    ...(stopped > 0 ? [{ group, kind: 'stand_by', count: stopped, because } as const] : []),
    ...(ended > 0 ? [{ group, kind: 'terminate', count: ended, because } as const] : []),
  ]
}

function allowance(options: LabelOptions, stock: LabelStock, target: Target, surplusMs: number): Allowance {
  const spare = Math.max(0, stock.clean - target.idle)
  const late = surplusMs >= options.scaleDownDelayMs
  const aboveMost = options.maxReady === 0 ? 0 : stock.clean - Math.max(options.maxReady, target.idle)
  const terminate = Math.min(spare, late ? spare : Math.max(0, aboveMost), Math.max(0, stock.active - options.minTotal))
  const standBy = Math.max(0, target.standby - stock.standby)
  const have = `${options.label} has ${stock.clean} clean and wants ${target.idle} (${target.because})`
  const why = late ? `for at least ${options.scaleDownDelayMs} ms` : `max_ready ${options.maxReady}`
  return { label: options.label, spare, terminate, standBy, because: spare > 0 ? `${have}, ${why}` : '' }
}

/** Machines above a maximum that was lowered; idle ones go first, then those in use are drained. */
export interface Excess {
  readonly group: string
  readonly count: number
  readonly because: string
}

/**
 * What a group has above its `max_total`, or a label above its own.
 *
 * Source: vm-pool.md C20.
 */
export function excess(labels: readonly LabelOptions[], groups: readonly GroupFacts[], now: number): Excess[] {
  const over = new Map<string, Excess>()
  for (const { rules, counts } of groups) {
    const count = active(counts.states) - rules.maxTotal
    if (rules.maxTotal > 0 && count > 0) {
      over.set(rules.id, {
        group: rules.id,
        count,
        because: `${rules.id} is ${count} above max_total ${rules.maxTotal}`,
      })
    }
  }
  for (const configured of labels) {
    const { options } = labelNow(configured, now)
    if (options.maxTotal === 0) continue
    const carriers = groups.filter(({ rules }) => carries(rules, options.label)).toReversed()
    const planned = carriers.reduce((sum, { rules }) => sum + (over.get(rules.id)?.count ?? 0), 0)
    let left = carriers.reduce((sum, { counts }) => sum + active(counts.states), 0) - planned - options.maxTotal
    for (const { rules, counts } of carriers) {
      if (left <= 0) break
      const known = over.get(rules.id)?.count ?? 0
      const count = Math.min(left, active(counts.states) - known)
      if (count <= 0) continue
      const because = `the label ${options.label} is ${left} above max_total ${options.maxTotal}`
      over.set(rules.id, { group: rules.id, count: known + count, because })
      left -= count
    }
  }
  return [...over.values()]
}
