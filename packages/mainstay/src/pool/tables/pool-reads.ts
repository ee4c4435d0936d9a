import type { VmDescriptor } from '../descriptor.ts'
import type { PoolRequest } from '../request.ts'
import type { VmState } from '../state.ts'
import type { FailureHold, OwnerUsage } from '../store.ts'
import type { Settings } from '../transitions/tables.ts'

/** What can be looked at without changing anything. */
export interface PoolReads {
  settings(): Promise<Settings>
  vm(name: string): Promise<VmDescriptor | null>
  /** Those that are there, in the order of the names given. */
  vms(names: readonly string[]): Promise<VmDescriptor[]>
  byRequest(requestId: string): Promise<VmDescriptor[]>
  byTask(taskId: string): Promise<VmDescriptor[]>
  byIp(ip: string): Promise<VmDescriptor[]>
  /** In the order of their names. */
  page(query: PageQuery): Promise<VmDescriptor[]>
  /** Whose earliest deadline is at `now` or before, the earliest first. */
  due(now: number, limit: number): Promise<VmDescriptor[]>
  nextDeadline(): Promise<number | null>
  /** Groups in which machines are, with how many in each state. */
  stateCounts(): Promise<Map<string, Partial<Record<VmState, number>>>>
  countFree(group: string, checkedAfter: number): Promise<number>
  countWaiting(group: string): Promise<number>
  usage(owner: string): Promise<OwnerUsage>
  request(id: string): Promise<PoolRequest | null>
  /** Waiting requests in the order of submission, then of their ids. */
  requestPage(query: { readonly after: RequestCursor | null; readonly limit: number }): Promise<PoolRequest[]>
  countOverdueRequests(now: number, retentionMs: number): Promise<number>
  failureHolds(): Promise<FailureHold[]>
  info(group: string, key: string): Promise<string | null>
}

export interface PageQuery {
  readonly group: string | null
  readonly states: readonly VmState[] | null
  /** The name after which the page begins. */
  readonly after: string | null
  readonly limit: number
}

export interface RequestCursor {
  readonly submittedAt: number
  readonly id: string
}
