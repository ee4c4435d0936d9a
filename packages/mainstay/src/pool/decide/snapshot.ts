import type { LabelOptions, PoolConfiguration } from '../options.ts'
import type { PoolRequest } from '../request.ts'
import type { SurplusSince } from '../sizing/shrink.ts'
import type { Bucket, BucketRate } from '../sizing/token-bucket.ts'
import type { DueVm, GroupCounts, OwnerUsage } from '../store.ts'

/** The rules of the cycle itself. */
export interface MasterRules {
  /** How fast machines of one group are asked for. */
  readonly spawnRate: BucketRate
  /** How often a destruction is asked before a person has to look. */
  readonly terminateAttempts: number
  /** The longest pause between two of these, in milliseconds; it doubles from the group's `terminatingTimeoutMs`. */
  readonly terminateMaxPauseMs: number
  /** How long a worn machine that the minimum needs is left before it is looked at again, in milliseconds. */
  readonly retirePauseMs: number
}

export const DEFAULT_MASTER_RULES: MasterRules = {
  spawnRate: { burst: 0, perMinute: 0 },
  terminateAttempts: 6,
  terminateMaxPauseMs: 3_600_000,
  retirePauseMs: 30_000,
}

/** What this process works on itself: so much of what the store shows is looked after. */
export interface UnderWay {
  /** Machines being spawned, started or reset by this process, by group. */
  readonly building: Readonly<Record<string, number>>
  /** Machines whose destruction this process waits for. */
  readonly destroying: ReadonlySet<string>
  /** How many more checks may be queued. */
  readonly checkRoom: number
  /** How many more destructions may be queued. */
  readonly destroyRoom: number
}

/** What one decision hands to the next. Losing it is harmless: a delay begins anew. */
export interface DecisionMemory {
  readonly surplusSince: SurplusSince
  readonly buckets: Readonly<Record<string, Bucket>>
}

export const NO_MEMORY: DecisionMemory = { surplusSince: {}, buckets: {} }

/** Everything that a decision is made of. A part that could not be read is null, and nothing is decided about it. */
export interface PoolSnapshot {
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  readonly configuration: PoolConfiguration
  readonly labels: readonly LabelOptions[]
  readonly due: readonly DueVm[] | null
  readonly stock: PoolStock | null
  readonly underWay: UnderWay
  /** For each group why none of its providers takes requests now; a group that is not named has one that does. */
  readonly noProvider: Readonly<Record<string, string>>
  readonly rules: MasterRules
  readonly memory: DecisionMemory
}

export interface PoolStock {
  readonly counts: readonly GroupCounts[]
  /** Requests that wait, the oldest first; there may be more. */
  readonly requests: readonly PoolRequest[]
  readonly usage: readonly OwnerUsage[]
}
