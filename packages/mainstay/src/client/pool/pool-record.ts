import type { JsonObject } from '../../core/json.ts'

export const VM_STATES = [
  'requested',
  'building',
  'got_ip',
  'check_health',
  'check_health_failed',
  'ready',
  'in_use',
  'resetting',
  'held',
  'drained',
  'standby',
  'starting',
  'terminating',
  'stuck',
] as const
export type PoolVmState = (typeof VM_STATES)[number]

/** A machine of the pool. Times are ISO 8601 with `Z`, null where there is none. */
export interface PoolVm {
  readonly name: string
  readonly group: string
  readonly state: PoolVmState
  readonly stateSince: string
  readonly createdAt: string
  readonly ip: string | null
  readonly provider: string | null
  readonly providerId: string | null
  readonly owner: string | null
  readonly sandbox: string | null
  readonly worker: string | null
  readonly inUseSince: string | null
  readonly leaseExpiresAt: string | null
  readonly requestId: string | null
  readonly taskId: string | null
  readonly buildId: string | null
  readonly chroot: string | null
  readonly arch: string | null
  readonly priority: number | null
  readonly preemptible: boolean
  readonly preemptAt: string | null
  readonly checkStartedAt: string | null
  readonly checkPassedAt: string | null
  readonly checkFails: number
  readonly uses: number
  readonly lastRelease: string | null
  readonly drain: 'terminate' | 'keep' | null
  readonly holdUntil: string | null
  readonly holdReason: string | null
  readonly holdBy: string | null
  readonly terminatingSince: string | null
  readonly terminateReason: string | null
  readonly terminateAttempts: number
}

export type PoolRequestStatus = 'waiting' | 'granted' | 'cancelled' | 'expired'

/** A wish for machines that waits, or ended lately. */
export interface PoolRequest {
  readonly id: string
  readonly status: PoolRequestStatus
  readonly groups: readonly string[]
  readonly owner: string
  readonly sandbox: string
  readonly worker: string
  readonly taskId: string | null
  readonly arch: string | null
  readonly priority: number
  readonly weight: number
  readonly count: number
  readonly preemptible: boolean
  readonly submittedAt: string
  readonly waitUntil: string
  readonly endedAt: string | null
  readonly reason: string | null
}

/** Why a request is not served, with its numbers. */
export interface PoolRefusal {
  readonly kind: string
  readonly group: string | null
  readonly limit: number | null
  readonly count: number | null
}

/** What is asked for. Times are in milliseconds. */
export interface PoolWish {
  /** Made up unless given. Asking again with the same gives the same answer, and never a second machine. */
  readonly requestId?: string | undefined
  /** Groups that will do, in the order of preference; any group without it. */
  readonly groups?: readonly string[] | undefined
  /** All of them must be carried by the group. */
  readonly labels?: readonly string[] | undefined
  /** For whom; only an admin may name somebody else. */
  readonly owner?: string | undefined
  readonly sandbox?: string | undefined
  /** Who uses the machine, for people. */
  readonly worker: string
  readonly taskId?: string | undefined
  readonly buildId?: string | undefined
  readonly chroot?: string | undefined
  readonly arch?: string | undefined
  /** 0 to 1000, higher first. */
  readonly priority?: number | undefined
  readonly weight?: number | undefined
  /** How many machines, all or none. */
  readonly count?: number | undefined
  readonly preemptible?: boolean | undefined
  /** Whether another worker may take the machine over with the task's id after this one is gone. */
  readonly reattach?: boolean | undefined
  readonly leaseMs?: number | undefined
  /** How long to wait when no machine is free; not at all unless given. */
  readonly waitMs?: number | undefined
}

/** A right to a machine, as the server gives it. */
export interface GrantedLease {
  readonly vm: PoolVm
  readonly name: string
  readonly ip: string | null
  readonly token: string
  readonly expiresAt: string
  /** How long it lasts from the moment of the answer on. */
  readonly expiresInMs: number
}

/** How it goes with one group. */
export interface PoolGroupCounts {
  readonly group: string
  readonly states: Readonly<Record<PoolVmState, number>>
  readonly free: number
  readonly clean: number
  readonly waiting: number
  readonly lastSpawnStart: number | null
}

/** What a label wants and has. */
export interface PoolLabelReport {
  readonly label: string
  readonly target: { readonly idle: number; readonly standby: number; readonly because: string }
  readonly stock: {
    readonly clean: number
    readonly arriving: number
    readonly inUse: number
    readonly standby: number
    readonly active: number
  }
  readonly schedule: number | null
  readonly unmet: { readonly count: number; readonly because: string } | null
}

export interface PoolOverview {
  readonly leader: string | null
  readonly groups: readonly PoolGroupCounts[]
  readonly labels: readonly PoolLabelReport[]
}

/** What the pool does next; `text` says it in one line. */
export interface PoolDecision {
  readonly do: string
  readonly because: string
  readonly text: string
  readonly vm?: string
  readonly group?: string
  readonly count?: number
  readonly request?: string
}

export interface PoolPlan {
  readonly decisions: readonly PoolDecision[]
  readonly labels: readonly PoolLabelReport[]
  readonly unserved: readonly {
    readonly request: string
    readonly kind: string
    readonly missing: number
    readonly because: string
  }[]
  /** What would be kept idle by label if the forecast were acted upon; null unless demand is learnt. */
  readonly forecast: Readonly<Record<string, { readonly idle: number; readonly because: string }>> | null
}

export interface PoolExplanation {
  readonly subject: string
  /** What it is doing, since when and for whom, in one sentence. */
  readonly doing: string
  /** Why it is not handed out, or waits, in one sentence. */
  readonly verdict: string
  readonly findings: readonly { readonly rule: string; readonly blocks: boolean; readonly text: string }[]
  readonly next: readonly string[]
}

/** A place where machines come from. */
export interface PoolProvider {
  readonly name: string
  readonly priority: number
  readonly weight: number
  readonly draining: boolean
  readonly health: {
    readonly successRate: number
    readonly startMs: number | null
    readonly failuresInRow: number
    readonly opens: number
    readonly openUntil: number
    readonly disabledBecause: string | null
  }
  readonly refusal: { readonly because: string; readonly until: number | null } | null
}

/** What the reconciler found and did. */
export interface ReconcileReport {
  readonly decisions: readonly JsonObject[]
  readonly carriedOut: readonly {
    readonly decision: JsonObject
    readonly outcome: string
    readonly because: string | null
  }[]
}

/** A change, named like its event; `gap` says that some were not seen. */
export interface PoolNews {
  /** `pool.vm.acquired`, `pool.request.waiting`, … or `gap`. */
  readonly type: string
  readonly id?: string
  /** Milliseconds since the Unix epoch. */
  readonly at?: number
  readonly vm?: string | null
  readonly group?: string | null
  readonly from?: string | null
  readonly to?: string | null
  readonly owner?: string | null
  readonly worker?: string | null
  readonly request_id?: string | null
  readonly task_id?: string | null
  readonly reason?: string | null
}
