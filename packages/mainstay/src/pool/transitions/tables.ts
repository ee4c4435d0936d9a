import type { PoolChange } from '../change.ts'
import type { VmDescriptor } from '../descriptor.ts'
import type { HeldCounts } from '../limits.ts'
import type { PoolConfiguration } from '../options.ts'
import type { Contender } from '../rank.ts'
import type { PoolRequest } from '../request.ts'
import type { VmState } from '../state.ts'
import type { FailureHold } from '../store.ts'

/** What is written once for the whole pool. */
export interface Settings {
  readonly configuration: PoolConfiguration
  /** 0 before the first start. */
  readonly serverStartedAt: number
  readonly leader: { readonly id: string; readonly fence: number; readonly until: number }
  /** Whether any request waits: most of the time none does, and then nothing has to be looked at. */
  readonly anyWaiting: boolean
}

/** Which requests of a queue. */
export interface Line {
  readonly group: string
  readonly owner: string
  /** Only those that want this sandbox. */
  readonly sandbox?: string
}

/**
 * The records and indexes of the pool inside one atomic transition: what the transitions need of a database that runs
 * them in this process (memory, SQLite). Redis runs the same transitions as scripts.
 *
 * Lists are in the order that the comment gives, ties by name or id, ascending unless it says otherwise. `save` keeps every
 * index as `indexEntry` says.
 */
export interface PoolTables {
  settings(): Promise<Settings>
  saveSettings(settings: Omit<Settings, 'anyWaiting'>): Promise<void>

  vm(name: string): Promise<VmDescriptor | null>
  /** Writes a machine; `before` is what was read, null for a new one. */
  save(before: VmDescriptor | null, after: VmDescriptor): Promise<void>
  drop(vm: VmDescriptor): Promise<void>
  byRequest(requestId: string): Promise<VmDescriptor[]>
  byTask(taskId: string): Promise<VmDescriptor[]>

  /** Clean machines to hand out whose check passed after `checkedAfter`, last checked first, ties by name descending. */
  free(group: string, checkedAfter: number, limit: number): Promise<VmDescriptor[]>
  /** The same for dirty ones of an owner and sandbox. */
  idle(line: Required<Line>, checkedAfter: number, limit: number): Promise<VmDescriptor[]>
  /** The idle dirty machine of an owner that was given back first. */
  evictable(group: string, owner: string): Promise<VmDescriptor | null>
  /** Holders that may be asked to stop, below a priority, the lowest first. */
  preemptible(group: string, below: number, limit: number): Promise<VmDescriptor[]>

  held(owner: string, sandbox: string, arch: string | null): Promise<HeldCounts>
  bound(group: string, owner: string, sandbox: string): Promise<{ user: number; sandbox: number; leaving: number }>
  countStates(group: string, states: readonly VmState[]): Promise<number>
  holdsOf(owner: string): Promise<number>
  /** One field of what is remembered of a group (A5.5). */
  info(group: string, key: string): Promise<string | null>
  setInfo(group: string, key: string, value: string): Promise<void>

  request(id: string): Promise<PoolRequest | null>
  saveRequest(before: PoolRequest | null, after: PoolRequest): Promise<void>
  dropRequest(request: PoolRequest): Promise<void>
  /** The owners that wait in a group, each with its first request; in no order. */
  contenders(group: string): Promise<Contender[]>
  /** Waiting requests by their place in the queue. */
  waiting(line: Line, limit: number): Promise<PoolRequest[]>
  /** Groups in which a request waits. */
  waitingGroups(): Promise<string[]>
  /** Waiting requests whose time is over, and ended ones that may be forgotten; the oldest first. */
  overdueRequests(now: number, retentionMs: number, limit: number): Promise<PoolRequest[]>
  /** Remembers when an owner that still waits was served. */
  setServed(owner: string, at: number): Promise<void>

  failureHolds(): Promise<FailureHold[]>
  saveFailureHold(rule: FailureHold): Promise<void>
  dropFailureHold(id: string): Promise<boolean>

  /** Kept beside the change, in the same transaction, for whoever publishes it. */
  tell(changes: readonly PoolChange[]): Promise<void>
}
