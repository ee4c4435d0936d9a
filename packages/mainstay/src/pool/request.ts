/**
 * A wish for one or several machines.
 *
 *   (new) ──free machine──▶ granted
 *     └──wait──▶ waiting ──machine becomes free──▶ granted
 *                   ├──cancel──▶ cancelled
 *                   └──waited too long──▶ expired
 *
 * An ended request is remembered for `requestRetentionMs`, so that a waiter that lost its connection learns how it
 * ended. A request that was granted at once is not stored; its machines carry its id.
 *
 * Source: vm-pool.md C4.
 */
export type RequestStatus = 'waiting' | 'granted' | 'cancelled' | 'expired'

/** What a caller asks for. Times are integer milliseconds. */
export interface AcquireRequest {
  /** Chosen by the caller. Asking again with the same id gives the same answer and never a second machine. */
  readonly id: string
  /** Groups that will do, in the order of preference. */
  readonly groups: readonly string[]
  readonly owner: string
  readonly sandbox: string
  readonly worker: string
  /** The secret of the lease to be: random and not guessable. */
  readonly leaseToken: string
  readonly taskId?: string | null
  readonly buildId?: string | null
  readonly chroot?: string | null
  /** For the limit per architecture. */
  readonly arch?: string | null
  /** 0 to 1000, higher first. */
  readonly priority?: number
  /** The owner's weight: twice the weight, twice the share. Greater than 0. */
  readonly weight?: number
  /** How many machines, all or none. */
  readonly count?: number
  readonly preemptible?: boolean
  readonly reattach?: boolean
  /** Instead of the group's. */
  readonly leaseMs?: number | null
  /** Until when to wait; null or left out means not at all. */
  readonly waitUntil?: number | null
  /** Since when it counts as waiting, for one that is asked once more; now unless given. */
  readonly submittedAt?: number
}

/** A request as the pool keeps it. */
export interface PoolRequest {
  readonly id: string
  readonly status: RequestStatus
  readonly groups: readonly string[]
  readonly owner: string
  readonly sandbox: string
  readonly worker: string
  readonly leaseToken: string
  readonly taskId: string | null
  readonly buildId: string | null
  readonly chroot: string | null
  readonly arch: string | null
  readonly priority: number
  readonly weight: number
  readonly count: number
  readonly preemptible: boolean
  readonly reattach: boolean
  readonly leaseMs: number | null
  readonly submittedAt: number
  /** Its place among the requests of its owner with the same priority; `submittedAt` unless it was moved. */
  readonly rankAt: number
  readonly waitUntil: number
  readonly endedAt: number | null
  /** Why it ended. */
  readonly reason: string | null
  /** When holders were last asked to stop in its favour. */
  readonly preemptedAt: number | null
}

/** Why a machine is not handed out now. */
export type RefusalKind = 'no_vm' | 'user_limit' | 'sandbox_limit' | 'arch_limit' | 'group_limit' | 'queue' | 'draining'

export interface Refusal {
  readonly kind: RefusalKind
  /** The group it was met in; null for a limit over all groups. */
  readonly group: string | null
  readonly limit: number | null
  readonly count: number | null
}
