import type { JsonObject } from '../core/json.ts'
import type { VmState } from './state.ts'

/** What happens to a drained machine once it is idle: it is destroyed, or it only stays aside. */
export type DrainMode = 'terminate' | 'keep'

/**
 * What the pool knows of one machine. Times are integer milliseconds since the Unix epoch; null says that there is none.
 *
 * Source: vm-pool.md A2 and part C.
 */
export interface VmDescriptor {
  /** Unique over all groups of the pool, and chosen by the pool before the machine exists. */
  readonly name: string
  readonly group: string
  readonly state: VmState
  /** When it entered its state. */
  readonly stateSince: number
  readonly createdAt: number
  /** Null until it has one. */
  readonly ip: string | null

  /** Name of the provider that makes it. */
  readonly provider: string | null
  /** The provider's own identifier of it. */
  readonly providerId: string | null
  /** What the provider wants handed back. */
  readonly providerData: JsonObject | null

  /** Whose work dirtied it: set by the first acquire, kept until it is reset or removed. */
  readonly boundToUser: string | null
  readonly sandbox: string | null
  /** When it was bound. */
  readonly boundSince: number | null

  /** Who holds it, for what. All of these are null unless it is in use. */
  readonly worker: string | null
  readonly inUseSince: number | null
  readonly requestId: string | null
  readonly taskId: string | null
  readonly buildId: string | null
  readonly chroot: string | null
  readonly arch: string | null
  /** The secret that release, heartbeat and terminate must show (C5). */
  readonly leaseToken: string | null
  readonly leaseMs: number | null
  readonly leaseExpiresAt: number | null
  /** Since when its worker is taken for dead while it waits for another one of the same task. */
  readonly detachedAt: number | null
  /** Whether a worker that lost it may come back for it with the task's id. */
  readonly reattach: boolean
  /** Priority of the request that holds it, 0 to 1000. */
  readonly priority: number | null
  /** Whether a request of a strictly higher class may take it back (C4). */
  readonly preemptible: boolean
  /** When it is taken back from the holder, who has been asked to stop. */
  readonly preemptAt: number | null

  /** When the last check *started*: the `last_health_check` of part A. */
  readonly checkStartedAt: number | null
  /** When a check last *passed* (C7). */
  readonly checkPassedAt: number | null
  /** Failures since the last success. */
  readonly checkFails: number
  /** When the next check is due; null means at once where a check is due at all. */
  readonly nextCheckAt: number | null
  /** What `checkNotLaunched` puts back; null unless a check is under way. */
  readonly beforeCheck: BeforeCheck | null

  readonly lastRelease: number | null
  /** Number of finished uses: the `builds_count` of part A. */
  readonly uses: number

  readonly holdUntil: number | null
  readonly holdReason: string | null
  readonly holdBy: string | null
  /** Against whose quota the hold counts. */
  readonly holdOwner: string | null

  readonly drain: DrainMode | null
  /** Retirement (age, uses) is not looked at before this time. */
  readonly retireAfter: number | null

  readonly terminatingSince: number | null
  readonly terminateReason: string | null
  /** How often its destruction was asked of the provider. */
  readonly terminateAttempts: number
  /** When its destruction is to be asked (again); null means at once. */
  readonly terminateAgainAt: number | null
}

/** The fields that starting a check changes. */
export interface BeforeCheck {
  readonly state: VmState
  readonly stateSince: number
  readonly checkStartedAt: number | null
  readonly nextCheckAt: number | null
}

/** A machine of which nothing is known but its place; the transitions fill in the rest. */
export function newDescriptor(
  fields: Pick<VmDescriptor, 'name' | 'group' | 'state' | 'createdAt'> & Partial<VmDescriptor>,
): VmDescriptor {
  return {
    stateSince: fields.createdAt,
    ip: null,
    provider: null,
    providerId: null,
    providerData: null,
    boundToUser: null,
    sandbox: null,
    boundSince: null,
    ...NOT_IN_USE,
    checkStartedAt: null,
    checkPassedAt: null,
    checkFails: 0,
    nextCheckAt: null,
    beforeCheck: null,
    lastRelease: null,
    uses: 0,
    ...NOT_HELD,
    drain: null,
    retireAfter: null,
    terminatingSince: null,
    terminateReason: null,
    terminateAttempts: 0,
    terminateAgainAt: null,
    ...fields,
  }
}

/** How a machine that nobody uses looks. */
export const NOT_IN_USE = {
  worker: null,
  inUseSince: null,
  requestId: null,
  taskId: null,
  buildId: null,
  chroot: null,
  arch: null,
  leaseToken: null,
  leaseMs: null,
  leaseExpiresAt: null,
  detachedAt: null,
  reattach: false,
  priority: null,
  preemptible: false,
  preemptAt: null,
} as const satisfies Partial<VmDescriptor>

export const NOT_HELD = {
  holdUntil: null,
  holdReason: null,
  holdBy: null,
  holdOwner: null,
} as const satisfies Partial<VmDescriptor>

/** How a machine that nobody ever used looks. */
export const CLEAN = {
  boundToUser: null,
  sandbox: null,
  boundSince: null,
} as const satisfies Partial<VmDescriptor>
