import type { Clock } from '../core/clock.ts'
import type { DecisionMemory, MasterRules, PoolSnapshot, PoolStock, UnderWay } from './decide/snapshot.ts'
import type { LabelOptions, PoolConfiguration } from './options.ts'
import type { Due, PoolStore } from './store.ts'

/** Machines of which something is due that are read in one go. */
export const DUE_BATCH = 1000

/** Waiting requests that sizing looks at; more than that start no more machines in one cycle anyway. */
const MOST_REQUESTS = 1000

/** Nothing is under way: what a process assumes that only plans. */
export const NOTHING_UNDER_WAY: UnderWay = {
  building: {},
  destroying: new Set(),
  checkRoom: Number.POSITIVE_INFINITY,
  destroyRoom: Number.POSITIVE_INFINITY,
}

/**
 * How many machines there are, and who waits for how many. Costs a few commands, however many machines there are, and
 * nothing more while nobody waits.
 *
 * Source: vm-pool.md C2.
 */
export async function readStock(store: PoolStore, now: number): Promise<PoolStock> {
  const counts = await store.counts({ now })
  if (counts.every(({ waiting }) => waiting === 0)) return { counts, requests: [], usage: [] }
  const { requests } = await store.requests({ limit: MOST_REQUESTS })
  const usage = await store.usage([...new Set(requests.map(({ owner }) => owner))])
  return { counts, requests, usage }
}

export interface SnapshotParts {
  readonly configuration: PoolConfiguration
  readonly labels: readonly LabelOptions[]
  readonly due: Due | null
  readonly stock: PoolStock | null
  readonly underWay: UnderWay
  /** Why no machine of a group can be asked for; null when one can. */
  readonly whyNot: (group: string) => string | null
  readonly rules: MasterRules
  readonly memory: DecisionMemory
}

/** Puts together what was read. */
export function snapshotOf(parts: SnapshotParts, now: number): PoolSnapshot {
  const { due, whyNot, ...rest } = parts
  const groups = parts.configuration.groups.map(({ id }) => id)
  const reasons = groups.flatMap((group): [string, string][] => {
    const why = whyNot(group)
    return why === null ? [] : [[group, why]]
  })
  return { ...rest, now, due: due?.vms ?? null, noProvider: Object.fromEntries(reasons) }
}

/** Everything at once, for `plan` and `explain`, which change nothing. */
export async function readSnapshot(
  store: PoolStore,
  clock: Clock,
  parts: Omit<SnapshotParts, 'configuration' | 'due' | 'stock'>,
): Promise<PoolSnapshot> {
  const now = clock.now()
  const configuration = await store.configuration()
  const due = await store.due({ now, limit: DUE_BATCH })
  return snapshotOf({ ...parts, configuration, due, stock: await readStock(store, now) }, now)
}
