import type { LabelOptions } from '../options.ts'
import type { Ledger } from './ledger.ts'
import { labelNow } from './schedule.ts'
import { idleTarget, missing, type LabelStock, type Target } from './target.ts'

/** How a label stands, for `plan`, `stats` and the metrics. */
export interface LabelReport {
  readonly label: string
  readonly target: Target
  /** Before anything was started for the label. */
  readonly stock: LabelStock
  /** The schedule that holds now, by its place; null without one. */
  readonly schedule: number | null
  /** What is needed and not started, and why. */
  readonly unmet: { readonly count: number; readonly because: string } | null
}

/**
 * Starts what the labels want to have idle, in their order, and what they want to have stopped.
 *
 * Source: vm-pool.md C8.
 *
 * @param replacing for each group how many of its ready machines are to be replaced, the new one first
 */
export function fillLabels(
  ledger: Ledger,
  labels: readonly LabelOptions[],
  replacing: Readonly<Record<string, number>>,
): LabelReport[] {
  return labels.map((configured) => {
    const { options, schedule } = labelNow(configured, ledger.now)
    const groups = ledger.groupsOf(options.label)
    const stock = ledger.stock(options.label)
    const target = idleTarget(options, stock)
    const replaced = groups.reduce((sum, group) => sum + (replacing[group] ?? 0), 0)
    const need = missing(options, stock, target, replaced)
    const toReplace = replaced === 0 ? '' : `, and ${replaced} to be replaced`
    const have = `${stock.clean} clean and ${stock.arriving} arriving`
    const ready = start(ledger, groups, need.ready, {
      reason: { for: options.label, because: `${options.label}: ${target.because}${toReplace}; it has ${have}` },
      wake: true,
    })
    const stopped = start(ledger, groups, need.standby, {
      reason: { for: options.label, because: `${options.label}: standby ${options.standby}, it has ${stock.standby}` },
      wake: false,
    })
    const short = ready + stopped
    const unmet =
      short === 0 ? null : { count: short, because: groups.map((group) => ledger.whyNoRoom(group)).join('; ') }
    return { label: options.label, target, stock, schedule, unmet }
  })
}

/** @returns how many there was no room for */
function start(
  ledger: Ledger,
  groups: readonly string[],
  count: number,
  { reason, wake }: { reason: { for: string; because: string }; wake: boolean },
): number {
  return groups.reduce((left, group) => left - ledger.start(group, left, reason, { wake }), count)
}
