import { EventEmitter } from 'node:events'
import { backoffDelayMs } from './backoff.ts'
import { connectLibvirt } from './connect.ts'
import type { DomainEventSubscription, LibvirtConnection } from './connection.ts'
import type { DisconnectReason } from './disconnect-reason.ts'
import type { DomainRef } from './domain.ts'
import type { DomainEventId, DomainEventOf } from './domain-event.ts'
import { LibvirtConnectError, LibvirtDisconnectedError, LibvirtTimeoutError } from './errors.ts'
import type { LibvirtSessionEvents, LibvirtSessionOptions } from './session-options.ts'
import { systemTimers } from './timers.ts'
import type { Timers } from './timers.ts'

/** How a registration ends that the server neither made nor refused. */
type Unanswered = LibvirtDisconnectedError | LibvirtTimeoutError

interface SessionSubscription {
  readonly eventId: DomainEventId
  /** Registers on one connection, and keeps the registration so that disposal can end it. */
  readonly register: (connection: LibvirtConnection) => Promise<void>
}

/**
 * A connection that comes back.
 *
 *   idle ──start()──▶ connecting ──stands, subscriptions registered──▶ connected
 *                        ▲   │failed                                      │lost
 *                        │   ▼                                            ▼
 *                        └─ waiting (back-off, IM-3) ◀────────────────────┘
 *   any ──close()──▶ closed
 *
 * Invariant: every 'connected' is followed by exactly one 'disconnected' before the next 'connected'. Subscriptions are
 * registered before 'connected' is told, so a listener that then compares the list of domains misses nothing (IM-4).
 */
export class LibvirtSession extends EventEmitter<LibvirtSessionEvents> implements AsyncDisposable {
  readonly #options: LibvirtSessionOptions
  readonly #timers: Timers
  readonly #stop = new AbortController()
  readonly #subscriptions = new Set<SessionSubscription>()
  #connection: LibvirtConnection | undefined
  #running: Promise<void> | undefined

  constructor(options: LibvirtSessionOptions) {
    super()
    this.#options = options
    this.#timers = options.timers ?? systemTimers
  }

  /** The connection, while one stands. */
  get connection(): LibvirtConnection | undefined {
    return this.#connection
  }

  /** Starts connecting; listen first. Safe to repeat. */
  start(): this {
    if (!this.#stop.signal.aborted) this.#running ??= this.#run()
    return this
  }

  /**
   * Resolves with the connection as soon as one stands. Rejects with the reason of `signal`, and with
   * `LibvirtDisconnectedError` when the session is closed first. It waits without end otherwise.
   */
  async connected({ signal }: { readonly signal?: AbortSignal } = {}): Promise<LibvirtConnection> {
    signal?.throwIfAborted()
    if (this.#connection !== undefined) return this.#connection
    if (this.#stop.signal.aborted) throw sessionClosed()
    const outcome = Promise.withResolvers<LibvirtConnection>()
    const onAbort = (): void => outcome.reject(signal?.reason)
    const onStop = (): void => outcome.reject(sessionClosed())
    this.once('connected', outcome.resolve)
    this.#stop.signal.addEventListener('abort', onStop, { once: true })
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await outcome.promise
    } finally {
      this.off('connected', outcome.resolve)
      this.#stop.signal.removeEventListener('abort', onStop)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /**
   * Registers for one kind of event on this connection and on every later one. Disposing the result ends it. A server
   * that refuses is reported as 'subscribe-failed'; one that does not answer is left and tried again, because a session
   * that seems to listen and does not is worse than none.
   */
  subscribe<Id extends DomainEventId>(
    eventId: Id,
    options: { readonly domain?: DomainRef },
    listener: (event: NoInfer<DomainEventOf<Id>>) => void,
  ): Disposable {
    let active = true
    let registered: DomainEventSubscription | undefined
    const subscription: SessionSubscription = {
      eventId,
      register: async (connection) => {
        const registration = await connection.subscribe(eventId, options, (event) => {
          if (active) listener(event)
        })
        if (active) registered = registration
        else await registration.unsubscribe()
      },
    }
    this.#subscriptions.add(subscription)
    if (this.#connection !== undefined) void this.#registerLate(this.#connection, subscription)
    return {
      [Symbol.dispose]: () => {
        active = false
        this.#subscriptions.delete(subscription)
        void registered?.unsubscribe()
      },
    }
  }

  /** Closes the connection and stops reconnecting. Safe to repeat. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(): Promise<void> {
    const { minDelayMs = 1_000, maxDelayMs = 30_000, stableAfterMs = 10_000, random = Math.random } = this.#options
    let failures = 0
    while (!this.#stop.signal.aborted) {
      const outcome = await this.#connectAndHold()
      if (this.#stop.signal.aborted) return
      if (typeof outcome === 'number' && outcome >= stableAfterMs) failures = 0
      const delayMs = backoffDelayMs(failures, { minDelayMs, maxDelayMs, random })
      if (typeof outcome !== 'number') this.emit('connect-failed', outcome, delayMs)
      failures += 1
      await this.#pause(delayMs)
    }
  }

  /** Returns how long the connection stood, in ms, or why there was none. */
  async #connectAndHold(): Promise<number | LibvirtConnectError> {
    const { signal } = this.#stop
    let connection: LibvirtConnection
    try {
      connection = await connectLibvirt({ ...this.#options, signal })
    } catch (error) {
      if (error instanceof LibvirtConnectError) return error
      if (signal.aborted) return 0
      throw error
    }
    const close = (): void => void connection.close()
    signal.addEventListener('abort', close, { once: true })
    try {
      if (signal.aborted) await connection.close()
      const failure = await this.#registerAll(connection)
      if (failure === undefined) return await this.#hold(connection)
      await connection.close()
      return new LibvirtConnectError(this.#options.socketPath, failure.message, { cause: failure })
    } finally {
      signal.removeEventListener('abort', close)
    }
  }

  async #hold(connection: LibvirtConnection): Promise<number> {
    const since = this.#timers.now()
    this.emit('connected', connection)
    const reason = await connection.closed
    this.#connection = undefined
    this.emit('disconnected', reason)
    return this.#timers.now() - since
  }

  /**
   * Registers also what is added meanwhile, then makes this the connection that later subscriptions use: in one turn, so
   * that none falls between. Returns why, when the connection is no good.
   */
  async #registerAll(connection: LibvirtConnection): Promise<Unanswered | undefined> {
    for (const subscription of this.#subscriptions) {
      const failure = await this.#register(connection, subscription)
      if (failure !== undefined) return failure
    }
    this.#connection = connection
    return undefined
  }

  async #registerLate(connection: LibvirtConnection, subscription: SessionSubscription): Promise<void> {
    const failure = await this.#register(connection, subscription)
    if (failure !== undefined) await connection.close()
  }

  async #register(connection: LibvirtConnection, subscription: SessionSubscription): Promise<Unanswered | undefined> {
    try {
      await subscription.register(connection)
    } catch (error) {
      if (error instanceof LibvirtDisconnectedError || error instanceof LibvirtTimeoutError) return error
      if (!(error instanceof Error)) throw error
      this.emit('subscribe-failed', error, subscription.eventId)
    }
    return undefined
  }

  #pause(delayMs: number): Promise<void> {
    const { signal } = this.#stop
    const over = Promise.withResolvers<void>()
    const cancelTimer = this.#timers.after(delayMs, () => {
      signal.removeEventListener('abort', onStop)
      over.resolve()
    })
    const onStop = (): void => {
      cancelTimer()
      over.resolve()
    }
    signal.addEventListener('abort', onStop, { once: true })
    return over.promise
  }
}

function sessionClosed(): LibvirtDisconnectedError {
  const reason: DisconnectReason = { kind: 'closed', message: 'The session was closed.' }
  return new LibvirtDisconnectedError('connect', reason, false)
}
