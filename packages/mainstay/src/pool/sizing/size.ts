import type { LabelOptions, PoolRules } from '../options.ts'
import type { PoolRequest } from '../request.ts'
import type { OwnerUsage } from '../store.ts'
import { meetDemand, type Unserved } from './demand.ts'
import { fillLabels, type LabelReport } from './fill-labels.ts'
import { Ledger, type GroupFacts, type Start } from './ledger.ts'
import { excess, shrinkLabels, type Excess, type Shrink, type SurplusSince } from './shrink.ts'

export interface SizingInput {
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  readonly pool: PoolRules
  /** In the order of preference. */
  readonly groups: readonly GroupFacts[]
  /** In the order in which they are filled; see {@link allLabels}. */
  readonly labels: readonly LabelOptions[]
  /** Requests that wait. */
  readonly requests: readonly PoolRequest[]
  /** Of the owners of these requests. */
  readonly usage: readonly OwnerUsage[]
  /** For each group how many of its ready machines are to be replaced, the new one first. */
  readonly replacing: Readonly<Record<string, number>>
  readonly surplusSince: SurplusSince
}

export interface Sizing {
  readonly starts: readonly Start[]
  readonly shrinks: readonly Shrink[]
  readonly excess: readonly Excess[]
  readonly unserved: readonly Unserved[]
  readonly labels: readonly LabelReport[]
  /** To be given back the next time. */
  readonly surplusSince: SurplusSince
}

/**
 * How many machines each group starts, stops and gives up now: first for requests that wait, then for what the labels
 * want idle. What is above a maximum goes; what is above the wish goes after a delay.
 *
 * Source: vm-pool.md C8, C20.
 */
export function size(input: SizingInput): Sizing {
  const { groups, labels, now, replacing } = input
  const ledger = new Ledger(groups, labels, now)
  const { unserved } = meetDemand(ledger, input)
  const reports = fillLabels(ledger, labels, replacing)
  const { shrinks, surplusSince } = shrinkLabels(ledger, labels, groups, input.surplusSince)
  return {
    starts: ledger.starts,
    shrinks,
    excess: excess(labels, groups, now),
    unserved,
    labels: reports,
    surplusSince,
  }
}
