/** `virConnectListAllDomainsFlags`. Flags of one line select together; no flag of a line means no filter by it. */
export const DomainListFlag = {
  ACTIVE: 1 << 0,
  INACTIVE: 1 << 1,
  PERSISTENT: 1 << 2,
  TRANSIENT: 1 << 3,
  RUNNING: 1 << 4,
  PAUSED: 1 << 5,
  SHUTOFF: 1 << 6,
  OTHER: 1 << 7,
  MANAGEDSAVE: 1 << 8,
  NO_MANAGEDSAVE: 1 << 9,
  AUTOSTART: 1 << 10,
  NO_AUTOSTART: 1 << 11,
  HAS_SNAPSHOT: 1 << 12,
  NO_SNAPSHOT: 1 << 13,
  HAS_CHECKPOINT: 1 << 14,
  NO_CHECKPOINT: 1 << 15,
} as const

/** `virDomainXMLFlags`. */
export const DomainXmlFlag = { SECURE: 1, INACTIVE: 2, UPDATE_CPU: 4, MIGRATABLE: 8 } as const

/** `virDomainCreateFlags`. */
export const DomainStartFlag = {
  PAUSED: 1,
  AUTODESTROY: 2,
  BYPASS_CACHE: 4,
  FORCE_BOOT: 8,
  VALIDATE: 16,
  RESET_NVRAM: 32,
} as const

/** `virDomainDefineFlags`. */
export const DomainDefineFlag = { VALIDATE: 1 } as const

/** `virStorageVolCreateFlags`. */
export const StorageVolumeCreateFlag = { PREALLOCATE_METADATA: 1, REFLINK: 2 } as const

/** `virDomainDestroyFlagsValues`. GRACEFUL sends SIGTERM only and fails when that is not enough. */
export const DomainDestroyFlag = { GRACEFUL: 1, REMOVE_LOGS: 2 } as const

/** `virDomainUndefineFlagsValues`. */
export const DomainUndefineFlag = {
  MANAGED_SAVE: 1,
  SNAPSHOTS_METADATA: 2,
  NVRAM: 4,
  KEEP_NVRAM: 8,
  CHECKPOINTS_METADATA: 16,
  TPM: 32,
  KEEP_TPM: 64,
} as const

/** `virDomainShutdownFlagValues`, the same for reboot. 0 lets the hypervisor choose. */
export const DomainShutdownFlag = { ACPI_POWER_BTN: 1, GUEST_AGENT: 2, INITCTL: 4, SIGNAL: 8, PARAVIRT: 16 } as const

/** `virDomainModificationImpact`: CURRENT is the live guest if it runs, else its definition. */
export const DomainAffect = { CURRENT: 0, LIVE: 1, CONFIG: 2 } as const

/** `virDomainMetadataType`. */
export const DomainMetadataType = { DESCRIPTION: 0, TITLE: 1, ELEMENT: 2 } as const

/** `virDomainStatsTypes`: which groups of figures `getAllDomainStats` collects. 0 means all. */
export const DomainStatsGroup = {
  STATE: 1 << 0,
  CPU_TOTAL: 1 << 1,
  BALLOON: 1 << 2,
  VCPU: 1 << 3,
  INTERFACE: 1 << 4,
  BLOCK: 1 << 5,
  PERF: 1 << 6,
  IOTHREAD: 1 << 7,
  MEMORY: 1 << 8,
  DIRTYRATE: 1 << 9,
  VM: 1 << 10,
} as const
