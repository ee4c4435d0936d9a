import type { ConnectOptions, LibvirtConnection } from './connection.ts'
import type { DisconnectReason } from './disconnect-reason.ts'
import type { DomainEventId } from './domain-event.ts'
import type { LibvirtConnectError } from './errors.ts'

export interface LibvirtSessionOptions extends Omit<ConnectOptions, 'signal'> {
  /** First pause before reconnecting, in ms; default 1,000 (IM-3). */
  readonly minDelayMs?: number
  /** Longest pause, in ms; default 30,000 (IM-3). */
  readonly maxDelayMs?: number
  /** A connection that held this long counts as sound: the pauses start again at `minDelayMs`. Default 10,000. */
  readonly stableAfterMs?: number
  /** A number in [0, 1) for the jitter of the pauses; default `Math.random`. */
  readonly random?: () => number
}

/** What a session tells, as arguments of the listener. */
export interface LibvirtSessionEvents {
  /**
   * A connection stands and all subscriptions are registered on it: from here on no event is missed. What happened
   * while there was none has to be found by comparing (IM-4).
   */
  connected: [connection: LibvirtConnection]
  /** The connection that was last announced has ended. */
  disconnected: [reason: DisconnectReason]
  /** An attempt failed; the next follows after `delayMs`. */
  'connect-failed': [error: LibvirtConnectError, delayMs: number]
  /** The server refused one subscription; the session goes on without it until the next connection. */
  'subscribe-failed': [error: Error, eventId: DomainEventId]
}
