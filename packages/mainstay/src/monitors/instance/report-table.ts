import {
  DomainEventId,
  IoErrorAction,
  LifecycleDetail,
  LifecycleEvent,
  MemoryFailureAction,
  WatchdogAction,
} from '@mainstay/libvirt-rpc'

import type { EventTriple } from './normalise.ts'

/** The words of a notification about a guest. */
export interface GuestFact {
  /** Payload member `event`. */
  readonly event: string
  /** Payload member `vir_domain_event`. */
  readonly virDomainEvent: string
}

export interface ReportRow extends EventTriple, GuestFact {
  /** Whether the guest's own kernel gave up: `panic_as` may rename it. */
  readonly panic: boolean
}

/** How a guest's panic is told: in its own words, or in words that the oldest engines act on. */
export type PanicAs = 'native' | 'stopped_failed'

/** The one lifecycle report that every engine acts on. */
export const STOPPED_FAILED: GuestFact = { event: 'LIFECYCLE', virDomainEvent: 'STOPPED_FAILED' }

const NONE = -1
const { SUSPENDED, STOPPED, SHUTDOWN, CRASHED } = LifecycleEvent

const lifecycle = (type: number, detail: number, virDomainEvent: string, panic = false): ReportRow => {
  return { id: DomainEventId.LIFECYCLE, type, detail, event: 'LIFECYCLE', virDomainEvent, panic }
}

const action = (id: number, event: string, actions: Readonly<Record<string, number>>): ReportRow[] => {
  return Object.entries(actions).map(([name, type]) => {
    return { id, type, detail: NONE, event, virDomainEvent: `${event}_${name}`, panic: false }
  })
}

const bare = (id: number, event: string): ReportRow => {
  return { id, type: NONE, detail: NONE, event, virDomainEvent: 'UNKNOWN', panic: false }
}

/**
 * Every libvirt event that becomes a notification; all others are dropped.
 *
 * Source: monitors.md 7.3, the table and the rows that Mainstay adds to it: panics, a broken post-copy migration, the
 * watchdog's INJECTNMI, a fatal memory failure.
 */
export const REPORT_TABLE: readonly ReportRow[] = [
  lifecycle(SUSPENDED, LifecycleDetail.SUSPENDED.IOERROR, 'SUSPENDED_IOERROR'),
  lifecycle(SUSPENDED, LifecycleDetail.SUSPENDED.WATCHDOG, 'SUSPENDED_WATCHDOG'),
  lifecycle(SUSPENDED, LifecycleDetail.SUSPENDED.API_ERROR, 'SUSPENDED_API_ERROR'),
  lifecycle(SUSPENDED, LifecycleDetail.SUSPENDED.POSTCOPY_FAILED, 'SUSPENDED_POSTCOPY_FAILED'),
  lifecycle(STOPPED, LifecycleDetail.STOPPED.SHUTDOWN, 'STOPPED_SHUTDOWN'),
  lifecycle(STOPPED, LifecycleDetail.STOPPED.DESTROYED, 'STOPPED_DESTROYED'),
  lifecycle(STOPPED, LifecycleDetail.STOPPED.CRASHED, 'STOPPED_CRASHED', true),
  lifecycle(STOPPED, LifecycleDetail.STOPPED.FAILED, 'STOPPED_FAILED'),
  lifecycle(SHUTDOWN, LifecycleDetail.SHUTDOWN.FINISHED, 'SHUTDOWN_FINISHED'),
  lifecycle(CRASHED, LifecycleDetail.CRASHED.PANICKED, 'CRASHED_PANICKED', true),
  lifecycle(CRASHED, LifecycleDetail.CRASHED.CRASHLOADED, 'CRASHED_CRASHLOADED', true),
  bare(DomainEventId.REBOOT, 'REBOOT'),
  ...action(DomainEventId.WATCHDOG, 'WATCHDOG', WatchdogAction),
  ...action(DomainEventId.IO_ERROR, 'IO_ERROR', IoErrorAction),
  bare(DomainEventId.IO_ERROR_REASON, 'IO_ERROR_REASON'),
  bare(DomainEventId.CONTROL_ERROR, 'CONTROL_ERROR'),
  {
    id: DomainEventId.MEMORY_FAILURE,
    type: MemoryFailureAction.FATAL,
    detail: NONE,
    event: 'MEMORY_FAILURE',
    virDomainEvent: 'MEMORY_FAILURE_FATAL',
    panic: false,
  },
]

const rows = new Map(REPORT_TABLE.map((row) => [`${row.id}/${row.type}/${row.detail}`, row]))

/** What is reported of an event, or undefined when it is dropped. Source: monitors.md 7.3. */
export function factOf({ id, type, detail }: EventTriple, { panicAs }: { panicAs: PanicAs }): GuestFact | undefined {
  const row = rows.get(`${id}/${type}/${detail}`)
  if (row === undefined) return undefined
  if (row.panic && panicAs === 'stopped_failed') return STOPPED_FAILED
  return { event: row.event, virDomainEvent: row.virDomainEvent }
}
