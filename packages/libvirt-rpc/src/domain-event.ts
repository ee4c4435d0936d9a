import type { Domain } from './domain.ts'
import type { TypedParameters } from './typed-parameter.ts'

/** `virDomainEventID`: what `subscribe` takes. */
export const DomainEventId = {
  LIFECYCLE: 0,
  REBOOT: 1,
  RTC_CHANGE: 2,
  WATCHDOG: 3,
  IO_ERROR: 4,
  GRAPHICS: 5,
  IO_ERROR_REASON: 6,
  CONTROL_ERROR: 7,
  BLOCK_JOB: 8,
  DISK_CHANGE: 9,
  TRAY_CHANGE: 10,
  PMWAKEUP: 11,
  PMSUSPEND: 12,
  BALLOON_CHANGE: 13,
  PMSUSPEND_DISK: 14,
  DEVICE_REMOVED: 15,
  BLOCK_JOB_2: 16,
  TUNABLE: 17,
  AGENT_LIFECYCLE: 18,
  DEVICE_ADDED: 19,
  MIGRATION_ITERATION: 20,
  JOB_COMPLETED: 21,
  DEVICE_REMOVAL_FAILED: 22,
  METADATA_CHANGE: 23,
  BLOCK_THRESHOLD: 24,
  MEMORY_FAILURE: 25,
  MEMORY_DEVICE_SIZE_CHANGE: 26,
} as const

export type DomainEventId = (typeof DomainEventId)[keyof typeof DomainEventId]

/**
 * The body of each event beside `id` and `domain`. Every enumeration stays a plain number, so that a detail invented
 * by a newer server arrives instead of failing; the tables in `domain-event-detail.ts` name the known ones.
 */
export interface DomainEventBodies {
  /** `event`: `LifecycleEvent`; `detail`: `LifecycleDetail` of that event. */
  0: { readonly event: number; readonly detail: number }
  1: object
  /** `offsetS`: seconds between the guest's clock and UTC. */
  2: { readonly offsetS: number }
  /** `action`: `WatchdogAction`. */
  3: { readonly action: number }
  /** `action`: `IoErrorAction`. */
  4: { readonly sourcePath: string; readonly deviceAlias: string; readonly action: number }
  5: {
    readonly phase: number
    readonly local: GraphicsAddress
    readonly remote: GraphicsAddress
    readonly authScheme: string
    readonly subject: readonly { readonly type: string; readonly name: string }[]
  }
  6: { readonly sourcePath: string; readonly deviceAlias: string; readonly action: number; readonly reason: string }
  7: object
  8: { readonly disk: string; readonly type: number; readonly status: number }
  9: {
    readonly oldSourcePath: string | undefined
    readonly newSourcePath: string | undefined
    readonly deviceAlias: string
    readonly reason: number
  }
  10: { readonly deviceAlias: string; readonly reason: number }
  11: { readonly reason: number }
  12: { readonly reason: number }
  13: { readonly actualKiB: number }
  14: { readonly reason: number }
  15: { readonly deviceAlias: string }
  16: { readonly disk: string; readonly type: number; readonly status: number }
  17: { readonly parameters: TypedParameters }
  /** `state`: `AgentState`; `reason`: `AgentStateReason`. */
  18: { readonly state: number; readonly reason: number }
  19: { readonly deviceAlias: string }
  20: { readonly iteration: number }
  21: { readonly parameters: TypedParameters }
  22: { readonly deviceAlias: string }
  /** `type`: `DomainMetadataType`. */
  23: { readonly type: number; readonly namespaceUri: string | undefined }
  24: {
    readonly device: string
    readonly path: string | undefined
    readonly thresholdBytes: bigint
    readonly excessBytes: bigint
  }
  /** `recipient`: `MemoryFailureRecipient`; `action`: `MemoryFailureAction`; `flags`: `MemoryFailureFlag`. */
  25: { readonly recipient: number; readonly action: number; readonly flags: number }
  26: { readonly deviceAlias: string; readonly sizeKiB: number }
}

export interface GraphicsAddress {
  readonly family: number
  readonly node: string
  readonly service: string
}

/** The event that belongs to an event id, or to one of several. */
export type DomainEventOf<Id extends DomainEventId> = {
  [Each in Id]: { readonly id: Each; readonly domain: Domain } & DomainEventBodies[Each]
}[Id]

/** Any event, to be told apart by `id`. */
export type DomainEvent = DomainEventOf<DomainEventId>
