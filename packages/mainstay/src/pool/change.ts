import type { MainstayEvent, Severity } from '../core/event.ts'
import type { VmState } from './state.ts'

/** What happened to a machine or a request; also the last part of the event's type. */
export type ChangeKind =
  | 'vm.requested'
  | 'vm.building'
  | 'vm.added'
  | 'vm.spawn_failed'
  | 'vm.check_started'
  | 'vm.check_passed'
  | 'vm.check_failed'
  | 'vm.acquired'
  | 'vm.released'
  | 'vm.reattached'
  | 'vm.detached'
  | 'vm.preempting'
  | 'vm.resetting'
  | 'vm.reset'
  | 'vm.held'
  | 'vm.unheld'
  | 'vm.draining'
  | 'vm.undrained'
  | 'vm.standby'
  | 'vm.starting'
  | 'vm.terminating'
  | 'vm.stuck'
  | 'vm.removed'
  | 'request.waiting'
  | 'request.granted'
  | 'request.cancelled'
  | 'request.expired'
  | 'request.reordered'

/** One change of the pool, as every transition returns it and every watcher sees it. */
export interface PoolChange {
  /** Unique and the same for everybody who sees it. */
  readonly id: string
  readonly kind: ChangeKind
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly vm: string | null
  readonly group: string | null
  /** The states before and after; null where there was or is none. */
  readonly from: VmState | null
  readonly to: VmState | null
  readonly ip: string | null
  readonly owner: string | null
  readonly taskId: string | null
  readonly requestId: string | null
  /** The holder at the time, who is to be told when its machine goes away. */
  readonly worker: string | null
  readonly reason: string | null
}

/** What a watcher gets: a change, or the news that it missed some and has to look again. */
export type PoolNews = { readonly kind: 'change'; readonly change: PoolChange } | { readonly kind: 'gap' }

const SEVERITY: Partial<Record<ChangeKind, Severity>> = {
  'vm.spawn_failed': 'warning',
  'vm.check_failed': 'warning',
  'vm.detached': 'warning',
  'vm.stuck': 'error',
  'request.expired': 'warning',
}

/** A change as an event of the stream: `pool.vm.acquired`, `pool.request.granted`, … */
export function toEvent(change: PoolChange): MainstayEvent {
  const { id, kind, at, vm, requestId, ...rest } = change
  return {
    id,
    type: `pool.${kind}`,
    severity: SEVERITY[kind] ?? 'info',
    occurredAt: at,
    nodeName: null,
    resourceId: vm ?? requestId,
    // A tenant is the owner of its machines: so it sees what happens to them, and nothing of others.
    projectId: change.owner,
    correlationId: requestId,
    payload: { vm, request_id: requestId, ...snakeCase(rest) },
  }
}

function snakeCase({ taskId, ...rest }: Omit<PoolChange, 'id' | 'kind' | 'at' | 'vm' | 'requestId'>): {
  readonly [member: string]: string | null
} {
  return { ...rest, task_id: taskId }
}
