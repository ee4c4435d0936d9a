/** Every number of the hub. Source of the defaults: event-stream.md 11.3, 11.5, 11.8. */
export interface HubOptions {
  /** Unsent bytes above which a connection is not given more. */
  readonly softLimitBytes: number
  /** Unsent bytes at which a connection under the policy `disconnect` is closed. */
  readonly hardLimitBytes: number
  /** Unsent frames at which it is closed as well. */
  readonly hardLimitFrames: number
  /** How long a connection with unsent bytes may go without getting rid of any. */
  readonly noProgressMs: number
  /** How far a connection may fall back after it was level with the head. */
  readonly maxBehindEvents: number
  /** Events that are read from the log in one go. */
  readonly pageEvents: number
  /** Pages of the log that are kept in memory for those who are behind. */
  readonly pagesKept: number
  /** Bytes of event text that they may hold in all. */
  readonly pageBytesKept: number
  /** The most bytes that are written to a connection in one go. */
  readonly chunkBytes: number
  /** Silence after which a heartbeat is sent. */
  readonly heartbeatMs: number
  /** How often a connection that receives nothing learns its cursor. */
  readonly bookmarkMs: number
  /** How long before a token expires its holder is told. */
  readonly expiryWarningMs: number
  /** How long connections may take to take what is left when the node goes down. */
  readonly drainMs: number
  /** They are told to wait up to so long before they come back, each its own time. */
  readonly reconnectSpreadMs: number
  /** How often connections are looked at. */
  readonly sweepMs: number
  /** How long reading a page of the log may take. */
  readonly readTimeoutMs: number
}

export const DEFAULT_HUB_OPTIONS: HubOptions = {
  softLimitBytes: 256 * 1024,
  hardLimitBytes: 1024 * 1024,
  hardLimitFrames: 1024,
  noProgressMs: 30_000,
  maxBehindEvents: 100_000,
  pageEvents: 500,
  pagesKept: 16,
  pageBytesKept: 32 * 1024 * 1024,
  chunkBytes: 64 * 1024,
  heartbeatMs: 25_000,
  bookmarkMs: 10_000,
  expiryWarningMs: 60_000,
  drainMs: 2_000,
  reconnectSpreadMs: 5_000,
  sweepMs: 1_000,
  readTimeoutMs: 10_000,
}
