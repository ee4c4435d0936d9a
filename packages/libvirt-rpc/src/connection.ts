import type { DisconnectReason } from './disconnect-reason.ts'
import type { DomainRef } from './domain.ts'
import type { DomainCalls } from './domain-calls.ts'
import type { DomainEventId, DomainEventOf } from './domain-event.ts'
import type { HostCalls } from './host-calls.ts'
import type { QemuCalls } from './qemu-calls.ts'
import type { StorageCalls } from './storage-calls.ts'
import type { Timers } from './timers.ts'

export interface ConnectOptions {
  /** The daemon's socket, e.g. `/run/libvirt/libvirt-sock`, or its `-ro` twin for a read-only connection. */
  readonly socketPath: string
  /** The driver to open on the server; default `qemu:///system`. */
  readonly uri?: string
  /** Opens without the right to change anything; default false. The `-ro` socket gives no more in any case. */
  readonly readOnly?: boolean
  /** Bound on connecting, authenticating and opening together, in ms; default 10,000. */
  readonly connectTimeoutMs?: number
  /** Bound on each call that does not say its own, in ms; default 30,000. */
  readonly callTimeoutMs?: number
  /** A ping is sent after this much silence, in ms; default 5,000 (IM-2). 0 turns our pings off. */
  readonly keepaliveIntervalMs?: number
  /** The connection is given up after this many unanswered pings; default 3 (IM-2, about 20 s). */
  readonly keepaliveMisses?: number
  /**
   * Calls that may be at the server at once, the rest wait here; default 4. libvirtd stops reading a client's socket,
   * keep-alive answers included, at its `max_client_requests` (default 5): stay below it.
   */
  readonly maxCallsInFlight?: number
  /** Gives up connecting. It does not end an established connection. */
  readonly signal?: AbortSignal
  /** Clock and timers, for tests; default the real ones. */
  readonly timers?: Timers
}

export interface SubscribeOptions {
  /** Only events of this domain; default all domains. */
  readonly domain?: DomainRef | undefined
  /** Gives up waiting for the registration, which takes `callTimeoutMs` at most. It does not end the subscription. */
  readonly signal?: AbortSignal | undefined
}

export interface EventStreamOptions {
  /** Only events of this domain; default all domains. */
  readonly domain?: DomainRef | undefined
  /** Ends the stream. */
  readonly signal?: AbortSignal | undefined
  /** Events that may wait to be read before the stream fails; default 10,000. */
  readonly bufferLimit?: number
}

/** One listener's subscription. */
export interface DomainEventSubscription extends AsyncDisposable {
  /**
   * The listener is not called again after this call. Resolves when the server knows, or cannot be told any more; never
   * rejects. Safe to repeat.
   */
  unsubscribe(): Promise<void>
}

/** One open connection to a libvirt daemon. It does not reconnect; `LibvirtSession` does. */
export interface LibvirtConnection extends DomainCalls, HostCalls, QemuCalls, StorageCalls, AsyncDisposable {
  readonly readOnly: boolean
  /** Resolves once, when the connection has ended for whatever reason. Never rejects. */
  readonly closed: Promise<DisconnectReason>
  /**
   * Registers for one kind of event. Listeners are called in the order in which the server sent the events, each in
   * a turn of its own; one that throws is an uncaught exception, as with any emitter.
   */
  subscribe<Id extends DomainEventId>(
    eventId: Id,
    options: SubscribeOptions,
    listener: (event: NoInfer<DomainEventOf<Id>>) => void,
  ): Promise<DomainEventSubscription>
  /**
   * The same as an async iterable; once the promise resolves, no later event is missed. It ends with `signal`, with
   * `return()` and when this side closes the connection; it throws `LibvirtDisconnectedError` when the connection is
   * lost and `LibvirtEventOverflowError` when the reader is too slow.
   */
  events<Id extends DomainEventId>(
    eventId: Id,
    options?: EventStreamOptions,
  ): Promise<AsyncIterableIterator<DomainEventOf<Id>>>
  /** Says good-bye to the server and closes; calls that are waiting reject. Safe to repeat. */
  close(): Promise<void>
}
