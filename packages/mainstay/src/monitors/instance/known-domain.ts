import {
  DomainState,
  LifecycleDetail,
  LifecycleEvent,
  PausedReason,
  RunningReason,
  ShutoffReason,
} from '@mainstay/libvirt-rpc'

/** What the monitor knows of one domain. State and reason are libvirt's numbers. */
export interface KnownDomain {
  readonly name: string
  /** One of `DomainState`. */
  readonly state: number
  /** One of the reasons of that state. */
  readonly reason: number
  /** Since when it is in that state, in milliseconds since the Unix epoch. */
  readonly sinceMs: number
  /** Whether its definition outlives its process. */
  readonly persistent: boolean
  /** It is arriving by migration and not ours to judge until it runs (IM-11). */
  readonly incoming: boolean
  /** The `vir_domain_event` that was told of its present pause, if one was (IM-8). */
  readonly pauseTold: string | null
  /** The guest's own identity where that is not the domain's (IM-10). */
  readonly instanceUuid: string | null
}

export interface LifecycleStep {
  readonly event: number
  readonly detail: number
}

const { SUSPENDED, STARTED, STOPPED, RESUMED } = LifecycleDetail

/** The reason that each detail of a lifecycle event leaves behind. */
const REASONS: Readonly<Record<number, Readonly<Record<number, number>>>> = {
  [LifecycleEvent.STARTED]: {
    [STARTED.BOOTED]: RunningReason.BOOTED,
    [STARTED.MIGRATED]: RunningReason.MIGRATED,
    [STARTED.RESTORED]: RunningReason.RESTORED,
    [STARTED.FROM_SNAPSHOT]: RunningReason.FROM_SNAPSHOT,
    [STARTED.WAKEUP]: RunningReason.WAKEUP,
  },
  [LifecycleEvent.SUSPENDED]: {
    [SUSPENDED.PAUSED]: PausedReason.USER,
    [SUSPENDED.MIGRATED]: PausedReason.MIGRATION,
    [SUSPENDED.IOERROR]: PausedReason.IOERROR,
    [SUSPENDED.WATCHDOG]: PausedReason.WATCHDOG,
    [SUSPENDED.RESTORED]: PausedReason.FROM_SNAPSHOT,
    [SUSPENDED.FROM_SNAPSHOT]: PausedReason.FROM_SNAPSHOT,
    [SUSPENDED.POSTCOPY]: PausedReason.POSTCOPY,
    [SUSPENDED.POSTCOPY_FAILED]: PausedReason.POSTCOPY_FAILED,
  },
  [LifecycleEvent.RESUMED]: {
    [RESUMED.UNPAUSED]: RunningReason.UNPAUSED,
    [RESUMED.MIGRATED]: RunningReason.MIGRATED,
    [RESUMED.FROM_SNAPSHOT]: RunningReason.FROM_SNAPSHOT,
    [RESUMED.POSTCOPY]: RunningReason.POSTCOPY,
    [RESUMED.POSTCOPY_FAILED]: RunningReason.POSTCOPY_FAILED,
  },
  [LifecycleEvent.STOPPED]: {
    [STOPPED.SHUTDOWN]: ShutoffReason.SHUTDOWN,
    [STOPPED.DESTROYED]: ShutoffReason.DESTROYED,
    [STOPPED.CRASHED]: ShutoffReason.CRASHED,
    [STOPPED.MIGRATED]: ShutoffReason.MIGRATED,
    [STOPPED.SAVED]: ShutoffReason.SAVED,
    [STOPPED.FAILED]: ShutoffReason.FAILED,
    [STOPPED.FROM_SNAPSHOT]: ShutoffReason.FROM_SNAPSHOT,
  },
  [LifecycleEvent.SHUTDOWN]: {},
  [LifecycleEvent.PMSUSPENDED]: {},
  [LifecycleEvent.CRASHED]: { [LifecycleDetail.CRASHED.PANICKED]: 1 },
}

const STATES: Readonly<Record<number, number>> = {
  [LifecycleEvent.STARTED]: DomainState.RUNNING,
  [LifecycleEvent.SUSPENDED]: DomainState.PAUSED,
  [LifecycleEvent.RESUMED]: DomainState.RUNNING,
  [LifecycleEvent.STOPPED]: DomainState.SHUTOFF,
  [LifecycleEvent.SHUTDOWN]: DomainState.SHUTDOWN,
  [LifecycleEvent.PMSUSPENDED]: DomainState.PMSUSPENDED,
  [LifecycleEvent.CRASHED]: DomainState.CRASHED,
}

/**
 * What is known of a domain after a lifecycle event; undefined once it is gone for good.
 *
 * Persistence follows from the events alone: a definition comes with DEFINED and goes with UNDEFINED, and a domain
 * that starts without one is transient. An incoming migration begins with STARTED/MIGRATED and ends as soon as the
 * domain runs here, is left paused here, or stops.
 */
export function track(
  known: KnownDomain | undefined,
  { event, detail }: LifecycleStep,
  { name, nowMs }: { name: string; nowMs: number },
): KnownDomain | undefined {
  const before = known ?? unseen(name, nowMs)
  if (event === LifecycleEvent.DEFINED) return { ...before, name, persistent: true }
  if (event === LifecycleEvent.UNDEFINED) return isAlive(before) ? { ...before, persistent: false } : undefined
  const state = STATES[event]
  if (state === undefined) return known
  if (event === LifecycleEvent.STOPPED && !before.persistent) return undefined
  return {
    ...before,
    name,
    state,
    reason: REASONS[event]?.[detail] ?? 0,
    sinceMs: nowMs,
    incoming: staysIncoming(before, { event, detail }),
    pauseTold: event === LifecycleEvent.SUSPENDED ? before.pauseTold : null,
  }
}

/** Whether a process of the domain exists: its end would be news. An orderly power-off has already been asked for. */
export function isAlive({ state }: Pick<KnownDomain, 'state'>): boolean {
  return (
    state === DomainState.RUNNING ||
    state === DomainState.BLOCKED ||
    state === DomainState.PAUSED ||
    state === DomainState.PMSUSPENDED
  )
}

/** Whether its end here would be the end of a migration to another host. */
export function isLeaving({ state, reason, incoming }: KnownDomain): boolean {
  const migrating = reason === PausedReason.MIGRATION || reason === PausedReason.POSTCOPY
  return state === DomainState.PAUSED && migrating && !incoming
}

function staysIncoming({ incoming }: KnownDomain, { event, detail }: LifecycleStep): boolean {
  if (event === LifecycleEvent.STARTED) return detail === STARTED.MIGRATED
  const paused = event === LifecycleEvent.SUSPENDED && detail !== SUSPENDED.PAUSED
  return incoming && paused
}

function unseen(name: string, nowMs: number): KnownDomain {
  const state = { state: DomainState.SHUTOFF, reason: ShutoffReason.UNKNOWN, sinceMs: nowMs }
  return { name, ...state, persistent: false, incoming: false, pauseTold: null, instanceUuid: null }
}
