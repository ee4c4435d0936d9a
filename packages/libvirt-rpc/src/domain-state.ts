/** `virDomainState`. Numbers outside the tables of this file come through unchanged from newer servers. */
export const DomainState = {
  NOSTATE: 0,
  RUNNING: 1,
  BLOCKED: 2,
  PAUSED: 3,
  SHUTDOWN: 4,
  SHUTOFF: 5,
  CRASHED: 6,
  PMSUSPENDED: 7,
} as const

/** `virDomainRunningReason`: the reason while the state is RUNNING. */
export const RunningReason = {
  UNKNOWN: 0,
  BOOTED: 1,
  MIGRATED: 2,
  RESTORED: 3,
  FROM_SNAPSHOT: 4,
  UNPAUSED: 5,
  MIGRATION_CANCELED: 6,
  SAVE_CANCELED: 7,
  WAKEUP: 8,
  CRASHED: 9,
  POSTCOPY: 10,
  POSTCOPY_FAILED: 11,
} as const

/** `virDomainPausedReason`. */
export const PausedReason = {
  UNKNOWN: 0,
  USER: 1,
  MIGRATION: 2,
  SAVE: 3,
  DUMP: 4,
  IOERROR: 5,
  WATCHDOG: 6,
  FROM_SNAPSHOT: 7,
  SHUTTING_DOWN: 8,
  SNAPSHOT: 9,
  CRASHED: 10,
  STARTING_UP: 11,
  POSTCOPY: 12,
  POSTCOPY_FAILED: 13,
} as const

/** `virDomainShutdownReason`: the guest is on its way down. */
export const ShutdownReason = { UNKNOWN: 0, USER: 1 } as const

/** `virDomainShutoffReason` (monitors.md 7.5 decides by these). */
export const ShutoffReason = {
  UNKNOWN: 0,
  SHUTDOWN: 1,
  DESTROYED: 2,
  CRASHED: 3,
  MIGRATED: 4,
  SAVED: 5,
  FAILED: 6,
  FROM_SNAPSHOT: 7,
  DAEMON: 8,
} as const

/** `virDomainCrashedReason`. */
export const CrashedReason = { UNKNOWN: 0, PANICKED: 1 } as const

/** State and reason; the table of the reason depends on the state. */
export interface DomainStateAndReason {
  /** One of `DomainState`. */
  readonly state: number
  /** One of `RunningReason`, `PausedReason`, `ShutdownReason`, `ShutoffReason` or `CrashedReason`, by state. */
  readonly reason: number
}

const stateTexts = ['no state', 'running', 'idle', 'paused', 'in shutdown', 'shut off', 'crashed', 'pmsuspended']

const reasonTexts: readonly (readonly string[])[] = [
  ['unknown'],
  [
    'unknown',
    'booted',
    'migrated',
    'restored',
    'from snapshot',
    'unpaused',
    'migration canceled',
    'save canceled',
    'event wakeup',
    'crashed',
    'post-copy',
    'post-copy failed',
  ],
  ['unknown'],
  [
    'unknown',
    'user',
    'migrating',
    'saving',
    'dumping',
    'I/O error',
    'watchdog',
    'from snapshot',
    'shutting down',
    'creating snapshot',
    'crashed',
    'starting up',
    'post-copy',
    'post-copy failed',
  ],
  ['unknown', 'user'],
  ['unknown', 'shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'from snapshot', 'daemon'],
  ['unknown', 'panicked'],
  ['unknown'],
]

/** The words `virsh domstate --reason` prints, e.g. `shut off (crashed)`; unknown numbers are printed as such. */
export function describeDomainState({ state, reason }: DomainStateAndReason): string {
  const stateText = stateTexts[state] ?? `state ${state}`
  const reasonText = reasonTexts[state]?.[reason] ?? `reason ${reason}`
  return `${stateText} (${reasonText})`
}
