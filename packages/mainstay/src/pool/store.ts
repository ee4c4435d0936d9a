import type { JsonObject } from '../core/json.ts'
import type { PoolChange, PoolNews } from './change.ts'
import type { DrainMode, VmDescriptor } from './descriptor.ts'
import type { DueKind } from './deadlines.ts'
import type { PoolConfiguration } from './options.ts'
import type { AcquireRequest, PoolRequest, Refusal } from './request.ts'
import type { VmState } from './state.ts'

/** What every transition returns besides its own result: what it changed, in order. */
export interface Changed {
  readonly changes: readonly PoolChange[]
}

/** The time of the caller's clock, in milliseconds since the Unix epoch. */
export interface At {
  readonly now: number
}

/** The number that proves that the caller leads the pool; see {@link PoolStore.lead}. */
export interface Fenced {
  readonly fence: number
}

/** Who may change what a master decides: the master itself, or an operator (null). */
export interface ByMaster {
  readonly fence: number | null
}

/** A worker's right to a machine. */
export interface VmLease {
  readonly vm: VmDescriptor
  readonly token: string
  readonly expiresAt: number
}

export type AcquireOutcome = Changed &
  (
    | { readonly outcome: 'granted'; readonly leases: readonly VmLease[] }
    | { readonly outcome: 'waiting'; readonly request: PoolRequest; readonly refusals: readonly Refusal[] }
    | { readonly outcome: 'unavailable'; readonly refusals: readonly Refusal[] }
    /** The id belongs to a request that was cancelled or has expired. */
    | { readonly outcome: 'ended'; readonly request: PoolRequest }
  )

export interface Heartbeat extends Changed {
  readonly expiresAt: number
  /** When the machine is taken back because a more urgent request wants it; the holder should stop before. */
  readonly preemptAt: number | null
}

export interface RequestSpawn extends At, ByMaster {
  readonly name: string
  readonly group: string
  readonly provider: string
  /** Whether the time since the last spawn and the number of spawns under way count (A6.5). */
  readonly ignoreRate?: boolean
}

export type SpawnRefusalKind = 'max_total' | 'interval' | 'max_spawns' | 'failsafe' | 'draining'

export type SpawnOutcome = Changed &
  (
    | { readonly outcome: 'requested'; readonly vm: VmDescriptor }
    | { readonly outcome: 'refused'; readonly kind: SpawnRefusalKind; readonly limit: number; readonly count: number }
  )

export interface Spawned extends At {
  readonly name: string
  readonly ip: string
  readonly providerId?: string | null
  readonly providerData?: JsonObject | null
}

export interface Building extends At {
  readonly name: string
  readonly provider: string
  readonly providerId: string | null
}

export interface SpawnFailed extends At {
  readonly name: string
  readonly reason: string
  /** Whether a machine may exist and has to be destroyed; otherwise the record goes at once. */
  readonly destroy: boolean
}

export interface AddVm extends At, ByMaster {
  readonly name: string
  readonly group: string
  readonly ip: string
  readonly provider?: string | null
  readonly providerId?: string | null
  readonly providerData?: JsonObject | null
}

export interface Release extends At {
  readonly name: string
  readonly token: string
  /** Whether the use failed, for holds on failure. */
  readonly failed?: boolean
}

export interface Reattach extends At {
  readonly taskId: string
  readonly owner: string
  readonly worker: string
  /** The secret of the new lease; the old one is worth nothing afterwards. */
  readonly leaseToken: string
}

/** Who ends a machine: its holder by the token, the master by its number, or an operator. */
export type TerminatedBy =
  | { readonly token: string }
  | { readonly fence: number }
  /** `force` also takes a machine that is in use. */
  | { readonly operator: true; readonly force: boolean }

export interface Terminate extends At {
  readonly names: readonly string[]
  readonly by: TerminatedBy
  readonly reason: string
  /** The state in which it must be, or null for any (A4). A protected machine in use goes only with `in_use` here. */
  readonly allowedFrom?: readonly VmState[] | null
}

export interface StartChecks extends At, ByMaster {
  readonly checks: readonly {
    readonly name: string
    /** When the check after this one is due, with its jitter. */
    readonly nextCheckAt: number
  }[]
}

/** Result of one check; `startedAt` says of which one, so that a late answer changes nothing. */
export interface CheckResult extends At {
  readonly name: string
  readonly startedAt: number
}

export interface Hold extends At {
  readonly name: string
  readonly until: number
  readonly reason: string
  readonly by: string
  /** Against whose quota it counts; the machine's user if left out, else `by`. */
  readonly owner?: string
}

/** What is kept the next time that a use fails. */
export interface FailureHold {
  readonly id: string
  readonly match: { readonly taskId: string } | { readonly label: string } | { readonly group: string }
  readonly holdMs: number
  readonly reason: string
  readonly by: string
  /** The rule is dropped by then even if nothing failed. */
  readonly expiresAt: number
}

/** What one of several machines came to. Null: it was changed. Otherwise the reason why not. */
export interface Batch extends Changed {
  readonly refused: readonly { readonly name: string; readonly because: string }[]
}

export interface DueVm {
  readonly vm: VmDescriptor
  /** All that is due for it now, the oldest first. */
  readonly kinds: readonly DueKind[]
}

export interface Due {
  readonly vms: readonly DueVm[]
  /** Whether there is more that is due. */
  readonly more: boolean
  /** Requests that waited too long or can be forgotten. */
  readonly requests: number
}

export interface Leadership {
  readonly leads: boolean
  readonly leader: string
  /** The number of this leadership; grows with every change of the leader. */
  readonly fence: number
  readonly until: number
}

export type VmCounts = Readonly<Record<VmState, number>>

export interface GroupCounts {
  readonly group: string
  readonly states: VmCounts
  /** Ready, clean and checked recently enough to be handed out. */
  readonly free: number
  /**
   * Ready and clean, also those whose last check is too old or from before the server start: they need no replacement. Not those
   * that served their uses: nobody gets them any more.
   */
  readonly clean: number
  /** Requests that wait and would take a machine of the group. */
  readonly waiting: number
  readonly lastSpawnStart: number | null
}

/** What an owner has, by which the limits per owner are judged. */
export interface OwnerUsage {
  readonly owner: string
  /** Machines in use, over all groups. */
  readonly held: number
  /** Machines bound to the owner in any state, by group; groups without any may be left out. */
  readonly bound: Readonly<Record<string, number>>
}

export interface VmPage {
  readonly vms: readonly VmDescriptor[]
  /** Where to go on; null at the end. */
  readonly cursor: string | null
}

/** A record that lost a part, or that the indexes place elsewhere than it says itself (C19). */
export interface PartialRecord {
  readonly name: string
  readonly group: string | null
  /** `adoption`: an adoption refused it (C18); it stays as it is until somebody has mended it. */
  readonly missing: readonly ('hash' | 'set entry' | 'vm_ip' | 'group' | 'state' | 'index' | 'adoption')[]
  readonly firstSeenAt: number
}

/**
 * The pool's memory. Every method that changes something is one atomic transition: one round trip, nothing interleaves,
 * and a crash leaves it done or not done. Drivers: memory, SQLite, Redis; all pass `poolStoreConformance`.
 *
 * A method that names a machine which is not there throws VmNotFoundError and creates nothing. A method with `fence`
 * throws PoolMasterFencedError once another master leads. Every method throws what the database throws.
 *
 * Transitions that make a machine free hand it, in the same step, to the request that is next (C4); the grant is among
 * the `changes`.
 *
 * Source: vm-pool.md part C.
 */
export interface PoolStore extends AsyncDisposable {
  readonly kind: 'memory' | 'sqlite' | 'redis'

  // -- configuration ----------------------------------------------------------------------------------------------

  /** Writes the rules by which all processes decide; groups that are gone from them are drained from now on (C20). */
  configure(configuration: PoolConfiguration, by: ByMaster): Promise<void>
  /** The rules that hold now, retired groups included. */
  configuration(): Promise<PoolConfiguration>
  /** From now on nothing is handed out that was not checked again; idle machines become due for a check (A3, C7). */
  markServerStart(input: At & ByMaster): Promise<void>
  serverStartedAt(): Promise<number | null>

  // -- spawning (C6) ----------------------------------------------------------------------------------------------

  /** Writes down a spawn before the provider is asked, unless a limit forbids it. @throws VmExistsError */
  requestSpawn(input: RequestSpawn): Promise<SpawnOutcome>
  /** The provider took the request. @throws VmStateError when it is to be destroyed again by now */
  building(input: Building): Promise<Changed>
  /** The machine has an address. @throws VmStateError when it is to be destroyed again by now */
  spawned(input: Spawned): Promise<Changed>
  spawnFailed(input: SpawnFailed): Promise<Changed>
  /** Takes a machine in that exists already. @throws VmExistsError, PoolGroupNotFoundError */
  addVm(input: AddVm): Promise<Changed>

  // -- use (C3, C4, C5) -------------------------------------------------------------------------------------------

  /**
   * Hands out machines, or queues the request when it may wait.
   *
   * @throws PoolRequestImpossibleError, PoolGroupNotFoundError, InvalidInputError
   */
  acquire(request: AcquireRequest & At): Promise<AcquireOutcome>
  /** @throws VmLeaseLostError */
  heartbeat(input: At & { readonly name: string; readonly token: string }): Promise<Heartbeat>
  /** Ends a use. @returns the machine as it is now @throws VmLeaseLostError */
  release(input: Release): Promise<Changed & { readonly vm: VmDescriptor }>
  /** Hands a machine that is in use for a task to a new worker of the same owner. Null when there is none. */
  reattach(input: Reattach): Promise<(Changed & VmLease) | null>
  /**
   * Takes machines back whose lease and grace are over (or, with `reattach`, whose window is) and those whose holder was asked
   * to stop in time. What is not so any more is left alone.
   */
  reclaim(input: At & ByMaster & { readonly names: readonly string[] }): Promise<Batch>

  // -- the queue (C4) ---------------------------------------------------------------------------------------------

  /** A request that waits or has ended lately; null when it was granted at once, or is unknown. */
  request(id: string): Promise<PoolRequest | null>
  /** The machines that a request holds now. */
  leases(requestId: string): Promise<readonly VmLease[]>
  /** Waiting requests in the order of submission. */
  requests(query: { readonly limit: number; readonly cursor?: string | null }): Promise<{
    readonly requests: readonly PoolRequest[]
    readonly cursor: string | null
  }>
  /** @throws PoolRequestNotFoundError, PoolRequestEndedError */
  cancel(input: At & { readonly id: string; readonly reason: string }): Promise<Changed>
  /**
   * Takes back that a request was granted, when it holds nothing (any more): it waits again at the place that it had, or is
   * forgotten where its wait is over, so that it may be asked again under its id. Does nothing to one that waits, was ended, holds
   * machines or is unknown.
   */
  requeue(input: At & { readonly id: string }): Promise<Changed>
  /** Changes the priority, or moves it ahead of another request of its owner. @throws as `cancel` */
  reorder(input: At & { readonly id: string; readonly priority?: number; readonly ahead?: string }): Promise<Changed>
  /** Ends requests that waited too long and forgets old ones. */
  expireRequests(input: At & ByMaster & { readonly limit: number }): Promise<Changed>
  /** Grants what can be granted: after limits or weights were changed, and as a safety net of the cycle. */
  serve(input: At & { readonly groups: readonly string[] }): Promise<Changed>
  /** Asks preemptible holders of strictly lower priority to stop in favour of a request that waits (C4). */
  preempt(input: At & ByMaster & { readonly requestId: string }): Promise<Changed>

  // -- checks (A4, C7) --------------------------------------------------------------------------------------------

  startChecks(input: StartChecks): Promise<Batch>
  checkPassed(result: CheckResult): Promise<Changed>
  /** One more failure; more of them than allowed end the machine. */
  checkFailed(result: CheckResult & { readonly reason: string }): Promise<Changed>
  /** The check did not end in time; the counter of failures stays (A6.7). */
  checksGivenUp(input: At & ByMaster & { readonly names: readonly string[] }): Promise<Batch>
  /** The check could not even be started: everything is as before. */
  checkNotLaunched(result: CheckResult): Promise<Changed>
  /** Makes machines due for a check now. */
  recheck(input: At & { readonly names: readonly string[] }): Promise<Batch>

  // -- reset, stand-by (C17, C8) ----------------------------------------------------------------------------------

  /** The machine is clean again and has to be checked. */
  resetDone(input: At & { readonly name: string; readonly ip?: string }): Promise<Changed>
  standBy(input: At & ByMaster & { readonly name: string }): Promise<Changed>
  /** Its start was asked for; `spawned` follows, or `spawnFailed`. */
  wake(input: At & ByMaster & { readonly name: string }): Promise<Changed>

  // -- hold and drain (C12) ---------------------------------------------------------------------------------------

  /** @throws HoldRefusedError, VmStateError */
  hold(input: Hold): Promise<Changed>
  /** Ends holds, by hand or because their time is over. */
  unhold(input: At & { readonly names: readonly string[] }): Promise<Batch>
  holdOnFailure(rule: FailureHold): Promise<void>
  failureHolds(): Promise<readonly FailureHold[]>
  dropFailureHold(id: string): Promise<boolean>
  drain(input: At & { readonly names: readonly string[]; readonly mode: DrainMode }): Promise<Batch>
  undrain(input: At & { readonly names: readonly string[] }): Promise<Batch>

  // -- the end (A4, C10) ------------------------------------------------------------------------------------------

  terminate(input: Terminate): Promise<Batch>
  /** The destruction was asked of the provider and is asked again at `againAt`. */
  terminationAsked(
    input: At & ByMaster & { readonly vms: readonly { readonly name: string; readonly againAt: number }[] },
  ): Promise<Batch>
  /** Keeps the record for a person to look at; it counts against nobody's limit. */
  markStuck(input: At & ByMaster & { readonly name: string }): Promise<Changed>
  /** The machine is gone: drops the record of one that is terminating. @throws VmStateError */
  remove(input: At & { readonly name: string }): Promise<Changed>
  /** The provider says that it is gone: drops the record in whatever state, and tells the worker (C10). */
  lost(input: At & ByMaster & { readonly name: string; readonly reason: string }): Promise<Changed>
  /** Does not look at age and uses of these again before `until`, because the minimum needs them. */
  postponeRetirement(
    input: At & ByMaster & { readonly names: readonly string[]; readonly until: number },
  ): Promise<Batch>

  // -- the cycle (C2, C9) -----------------------------------------------------------------------------------------

  /** What has to be looked at now, the longest overdue first; costs nothing for what is not due. */
  due(query: At & { readonly limit: number }): Promise<Due>
  /** When something is due next; null when nothing ever is. */
  nextDue(): Promise<number | null>
  /** Becomes or stays the leader, or learns who is. */
  lead(input: At & { readonly id: string; readonly leaseMs: number }): Promise<Leadership>
  resign(input: At & { readonly id: string }): Promise<void>

  // -- looking ----------------------------------------------------------------------------------------------------

  /** Null for what is not there, and for a partial record. */
  get(name: string): Promise<VmDescriptor | null>
  getMany(names: readonly string[]): Promise<readonly VmDescriptor[]>
  byIp(ip: string): Promise<readonly VmDescriptor[]>
  byTask(taskId: string): Promise<readonly VmDescriptor[]>
  /** A page of machines in the order of their names; a look at a moving pool. */
  list(query: {
    readonly group?: string
    readonly states?: readonly VmState[]
    readonly limit: number
    readonly cursor?: string | null
  }): Promise<VmPage>
  /** Per group, cheap: nothing is loaded. */
  counts(at: At): Promise<readonly GroupCounts[]>
  /** For sizing and explanations: how much of its limits each owner uses, in the order given. From indexes alone. */
  usage(owners: readonly string[]): Promise<readonly OwnerUsage[]>
  /** One field of what is remembered of a group (A5.5); null when absent. */
  readInfo(group: string, key: string): Promise<string | null>
  writeInfo(group: string, key: string, value: string): Promise<void>

  /**
   * Changes from now on, in order, also those of other processes where the driver can see them. The first news comes
   * after the iteration began; ends when the signal is aborted. A watcher that is too slow gets a `gap`.
   */
  changes(options: { readonly signal: AbortSignal }): AsyncIterable<PoolNews>

  // -- care (C18, C19) --------------------------------------------------------------------------------------------

  /** Records that lost a part; each is remembered with the time when it was first seen so. */
  partialRecords(input: At): Promise<readonly PartialRecord[]>
  /** Repairs what can be repaired, and drops what has been partial for longer than the grace. */
  repair(input: At & { readonly names: readonly string[]; readonly graceMs: number }): Promise<Batch>
  /** Writes all indexes anew from the records: after another program wrote into the same database. */
  reindex(input: At & ByMaster): Promise<{ readonly vms: number }>
  /** Where the indexes differ from a recount of the records; empty when all is well. Reads everything. */
  verify(): Promise<readonly string[]>
}
