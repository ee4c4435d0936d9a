import type { Decision } from './decide/decision.ts'
import { dueDecisions } from './decide/due-decisions.ts'
import { retireDecisions } from './decide/retire-decisions.ts'
import type { DecisionMemory, PoolSnapshot } from './decide/snapshot.ts'
import { stockDecisions } from './decide/stock-decisions.ts'
import type { Sizing } from './sizing/size.ts'

export interface PoolDecisions {
  /** In the order in which they are carried out. */
  readonly decisions: readonly Decision[]
  /** How the labels and requests stand; null when the counts could not be read. */
  readonly sizing: Sizing | null
  /** To be given to the next decision. */
  readonly memory: DecisionMemory
}

/**
 * What the pool does next. The master carries it out, `plan` prints it, `explain` quotes it: there is one function, so
 * they cannot disagree.
 *
 * Source: vm-pool.md C9, C14.
 */
export function decidePool(snapshot: PoolSnapshot): PoolDecisions {
  const due = dueDecisions(snapshot)
  const retirement = retireDecisions(snapshot)
  if (snapshot.stock === null) {
    return { decisions: [...due, ...retirement.decisions], sizing: null, memory: snapshot.memory }
  }
  const { decisions, sizing, memory } = stockDecisions(snapshot, snapshot.stock, retirement.replacing)
  return { decisions: [...due, ...retirement.decisions, ...decisions], sizing, memory }
}
