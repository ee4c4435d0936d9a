/** `virDomainEventType`: `event` of a lifecycle event. */
export const LifecycleEvent = {
  DEFINED: 0,
  UNDEFINED: 1,
  STARTED: 2,
  SUSPENDED: 3,
  RESUMED: 4,
  STOPPED: 5,
  SHUTDOWN: 6,
  PMSUSPENDED: 7,
  CRASHED: 8,
} as const

/** `detail` of a lifecycle event, by the name of its `event` (monitors.md 7.3). */
export const LifecycleDetail = {
  DEFINED: { ADDED: 0, UPDATED: 1, RENAMED: 2, FROM_SNAPSHOT: 3 },
  UNDEFINED: { REMOVED: 0, RENAMED: 1 },
  STARTED: { BOOTED: 0, MIGRATED: 1, RESTORED: 2, FROM_SNAPSHOT: 3, WAKEUP: 4 },
  SUSPENDED: {
    PAUSED: 0,
    MIGRATED: 1,
    IOERROR: 2,
    WATCHDOG: 3,
    RESTORED: 4,
    FROM_SNAPSHOT: 5,
    API_ERROR: 6,
    POSTCOPY: 7,
    POSTCOPY_FAILED: 8,
  },
  RESUMED: { UNPAUSED: 0, MIGRATED: 1, FROM_SNAPSHOT: 2, POSTCOPY: 3, POSTCOPY_FAILED: 4 },
  STOPPED: { SHUTDOWN: 0, DESTROYED: 1, CRASHED: 2, MIGRATED: 3, SAVED: 4, FAILED: 5, FROM_SNAPSHOT: 6 },
  SHUTDOWN: { FINISHED: 0, GUEST: 1, HOST: 2 },
  PMSUSPENDED: { MEMORY: 0, DISK: 1 },
  CRASHED: { PANICKED: 0, CRASHLOADED: 1 },
} as const

/** `virDomainEventWatchdogAction`. */
export const WatchdogAction = {
  NONE: 0,
  PAUSE: 1,
  RESET: 2,
  POWEROFF: 3,
  SHUTDOWN: 4,
  DEBUG: 5,
  INJECTNMI: 6,
} as const

/** `virDomainEventIOErrorAction`. */
export const IoErrorAction = { NONE: 0, PAUSE: 1, REPORT: 2 } as const

/** `virConnectDomainEventAgentLifecycleState`. */
export const AgentState = { CONNECTED: 1, DISCONNECTED: 2 } as const

/** `virConnectDomainEventAgentLifecycleReason`. */
export const AgentStateReason = { UNKNOWN: 0, DOMAIN_STARTED: 1, CHANNEL: 2 } as const

/** `virDomainMemoryFailureRecipientType`. */
export const MemoryFailureRecipient = { HYPERVISOR: 0, GUEST: 1 } as const

/** `virDomainMemoryFailureActionType`. */
export const MemoryFailureAction = { IGNORE: 0, INJECT: 1, FATAL: 2, RESET: 3 } as const

/** `virDomainMemoryFailureFlags`. */
export const MemoryFailureFlag = { ACTION_REQUIRED: 1, RECURSIVE: 2 } as const
