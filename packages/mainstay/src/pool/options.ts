import type { DrainMode } from './descriptor.ts'

/** What is done with a machine after a use (C17). */
export type DirtyPolicy =
  /** One use, then it is destroyed. */
  | 'discard'
  /** It waits for the same owner and sandbox, as in the reference. */
  | 'sandbox'
  /** It is made clean again, then anybody may have it. */
  | 'reset'

/**
 * The rules of one group: machines that can stand in for each other. Durations are integer milliseconds. A limit of 0
 * is no limit.
 *
 * The store keeps these beside the machines, so that every process decides by the same ones: see `PoolStore.configure`.
 *
 * Source: vm-pool.md A7 and part C.
 */
export interface GroupRules {
  readonly id: string
  /** For people. */
  readonly name: string
  readonly archs: readonly string[]
  /** What a request may ask for instead of naming groups; one label may mean several groups. */
  readonly labels: readonly string[]

  /** The most machines in all states but terminating. */
  readonly maxTotal: number
  /** The most machines bound to one owner, in use or not (A5.2). */
  readonly maxPerUser: number
  /** The most machines bound to one sandbox of an owner, in use or not. */
  readonly maxPerSandbox: number
  /** The most machines in use. */
  readonly maxInUse: number
  /** The most machines being spawned at one time. */
  readonly maxSpawns: number
  /** The least time between two starts of a spawn. */
  readonly spawnIntervalMs: number
  /** How long a spawn may take from its request to its address. */
  readonly launchTimeoutMs: number

  readonly dirtyPolicy: DirtyPolicy
  /** How long an idle dirty machine waits for its owner. */
  readonly dirtyTimeoutMs: number
  /**
   * How long an idle dirty machine is kept for its owner although others wait and the group is full. 0: not at all.
   */
  readonly reuseOpportunityMs: number
  readonly resetTimeoutMs: number

  readonly checkPeriodMs: number
  /** A check that has not ended by then is given up. */
  readonly checkMaxTimeMs: number
  /** How old the last passed check may be for a machine to be handed out. */
  readonly maxCheckAgeMs: number
  /** A machine is destroyed when it failed *more* checks in a row than this. */
  readonly maxCheckFails: number
  /** Whether machines in use are checked as well. */
  readonly checkInUse: boolean

  /** How long a lease lasts without a heartbeat. */
  readonly leaseMs: number
  /** How long after that the machine is taken back. */
  readonly graceMs: number
  /** How long a machine with `reattach` waits for its task after the grace. */
  readonly reattachMs: number
  /** How long the holder of a preemptible machine has to stop. */
  readonly preemptGraceMs: number
  /** Whether a machine in use is destroyed only when the caller says so explicitly. */
  readonly protectInUse: boolean

  /** How long a destruction may take before it is asked again. */
  readonly terminatingTimeoutMs: number
  /** The longest hold. */
  readonly maxHoldMs: number
  /** Set while the whole group is drained. */
  readonly draining: DrainMode | null
  /** Set once the group is gone from the configuration: it is drained then too, and nobody can undo that but by writing it there. */
  readonly retired: boolean

  /** A machine older than this is replaced. */
  readonly maxAgeMs: number
  /** A machine with this many uses is replaced. */
  readonly maxUses: number
  /** A clean machine that has been ready for this long without work is replaced. */
  readonly maxReadyAgeMs: number
  /** A dirty machine that has been bound for this long is replaced. */
  readonly maxTimeInSandboxMs: number
}

/** The rules of a group unless its options say otherwise. */
export const DEFAULT_GROUP_RULES: Omit<GroupRules, 'id'> = {
  name: 'PC',
  archs: ['i386', 'x86_64'],
  labels: [],
  maxTotal: 8,
  maxPerUser: 4,
  maxPerSandbox: 0,
  maxInUse: 0,
  maxSpawns: 2,
  spawnIntervalMs: 0,
  launchTimeoutMs: 900_000,
  dirtyPolicy: 'sandbox',
  dirtyTimeoutMs: 120_000,
  reuseOpportunityMs: 0,
  resetTimeoutMs: 300_000,
  checkPeriodMs: 120_000,
  checkMaxTimeMs: 300_000,
  maxCheckAgeMs: 600_000,
  maxCheckFails: 2,
  checkInUse: false,
  leaseMs: 60_000,
  graceMs: 30_000,
  reattachMs: 3_600_000,
  preemptGraceMs: 30_000,
  protectInUse: true,
  terminatingTimeoutMs: 600_000,
  maxHoldMs: 86_400_000,
  draining: null,
  retired: false,
  maxAgeMs: 0,
  maxUses: 0,
  maxReadyAgeMs: 0,
  maxTimeInSandboxMs: 0,
}

/** The rules that hold over all groups. A limit of 0 is no limit. */
export interface PoolRules {
  /** The most machines that one owner holds at one time. */
  readonly maxHeldPerUser: number
  /** The most machines that one sandbox of an owner holds at one time. */
  readonly maxHeldPerSandbox: number
  /** The most machines held at one time for work of an architecture; one that is not named has no limit. */
  readonly maxHeldPerArch: Readonly<Record<string, number>>
  /** A waiting request gains one point of priority for each such time (C4). */
  readonly ageingMs: number
  /** The most machines on hold for one owner. */
  readonly holdQuota: number
  /** How long an ended request can still be asked about. */
  readonly requestRetentionMs: number
}

export const DEFAULT_POOL_RULES: PoolRules = {
  maxHeldPerUser: 0,
  maxHeldPerSandbox: 0,
  maxHeldPerArch: {},
  ageingMs: 60_000,
  holdQuota: 5,
  requestRetentionMs: 600_000,
}

/** A group's rules from the few that differ from the defaults. */
export function groupRules(fields: Pick<GroupRules, 'id'> & Partial<GroupRules>): GroupRules {
  return { ...DEFAULT_GROUP_RULES, name: fields.id, ...fields }
}

/** The pool's rules from the few that differ from the defaults. */
export function poolRules(fields: Partial<PoolRules> = {}): PoolRules {
  return { ...DEFAULT_POOL_RULES, ...fields }
}

/** Everything by which a pool decides. */
export interface PoolConfiguration {
  readonly pool: PoolRules
  /** In the order of preference. A group that is gone from here keeps its machines and is drained (C20). */
  readonly groups: readonly GroupRules[]
}

/**
 * How many machines a label wants, over all groups that carry it (C8). The store does not read these: `pool/master` does.
 */
export interface LabelOptions {
  readonly label: string
  /** Idle clean machines, beyond those in use. */
  readonly minReady: number
  readonly maxReady: number
  readonly minTotal: number
  readonly maxTotal: number
  /** Stopped machines kept. */
  readonly standby: number
  /** Extra idle machines for each one in use. */
  readonly scaleFactor: number
  /** The most that `scaleFactor` adds. */
  readonly scaleMax: number
  readonly scaleDownDelayMs: number
  /** No idle machines until a request comes. */
  readonly onDemand: boolean
  /** The first that matches now overrides the numbers above. */
  readonly schedules: readonly LabelSchedule[]
}

export interface LabelSchedule {
  /** Five fields: when it begins. */
  readonly cron: string
  readonly timeZone: string
  readonly forMs: number
  readonly override: Partial<
    Pick<LabelOptions, 'minReady' | 'maxReady' | 'minTotal' | 'maxTotal' | 'standby' | 'onDemand'>
  >
}

/** A label's numbers unless its options say otherwise. A maximum of 0 is none. */
export const DEFAULT_LABEL_OPTIONS: Omit<LabelOptions, 'label'> = {
  minReady: 0,
  maxReady: 0,
  minTotal: 0,
  maxTotal: 0,
  standby: 0,
  scaleFactor: 0,
  scaleMax: 0,
  scaleDownDelayMs: 300_000,
  onDemand: false,
  schedules: [],
}
