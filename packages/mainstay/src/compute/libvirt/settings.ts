export interface LibvirtSettings {
  /** Folders and devices that are the same on every host; a guest with a disk elsewhere is bound to its host. */
  readonly sharedPaths: readonly string[]
  /** Memory that every host keeps for itself, in MiB. */
  readonly reservedMemoryMib: number
  /** The longest that connecting may take. */
  readonly connectTimeoutMs: number
  /** The longest that libvirtd may take to answer a question. */
  readonly askTimeoutMs: number
  /** The longest that it may take to define or start a guest. */
  readonly actTimeoutMs: number
  /** The first pause before connecting again; it doubles up to the longest. */
  readonly reconnectMinMs: number
  readonly reconnectMaxMs: number
  /** A silent libvirtd is asked for a sign of life after this. */
  readonly keepaliveIntervalMs: number
  /** It is given up after this many unanswered signs. */
  readonly keepaliveMisses: number
  /** How often everything is looked at again although no news came. */
  readonly refreshIntervalMs: number
  /** How long a guest that is to stop may take to do so by itself before its plug is pulled; 0 pulls it at once. */
  readonly gracefulStopMs: number
  /** What becomes of a guest that starts by itself with its host, and so could run twice: people are told, or it does no more. */
  readonly autostart: 'warn' | 'disable'
  /** The longest that closing may take. */
  readonly closeTimeoutMs: number
}

export const DEFAULT_LIBVIRT_SETTINGS: LibvirtSettings = {
  sharedPaths: [],
  reservedMemoryMib: 512,
  connectTimeoutMs: 5_000,
  askTimeoutMs: 5_000,
  actTimeoutMs: 60_000,
  reconnectMinMs: 500,
  reconnectMaxMs: 10_000,
  keepaliveIntervalMs: 5_000,
  keepaliveMisses: 3,
  refreshIntervalMs: 300_000,
  gracefulStopMs: 60_000,
  autostart: 'warn',
  closeTimeoutMs: 5_000,
}
