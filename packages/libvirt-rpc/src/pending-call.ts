import type { CallOptions } from './call-options.ts'
import type { DisconnectReason } from './disconnect-reason.ts'
import { readError } from './domain-codec.ts'
import { LibvirtDisconnectedError, LibvirtError, LibvirtTimeoutError } from './errors.ts'
import type { Procedure } from './procedures.ts'
import type { Timers } from './timers.ts'
import type { XdrReader } from './xdr-reader.ts'

export interface PendingCallOptions<Result> extends CallOptions {
  readonly procedure: Procedure
  readonly timeoutMs: number
  readonly timers: Timers
  readonly read: (reader: XdrReader) => Result
  /** Called when the caller stops waiting before an answer came. */
  readonly onAbandoned: () => void
}

/** What the channel does with a call, whatever its result. */
export interface Settleable {
  readonly procedure: Procedure
  /** Set when the call leaves this process. */
  sent: boolean
  answer(body: XdrReader): void
  refuse(body: XdrReader): void
  disconnected(reason: DisconnectReason): void
}

/**
 * One call from the moment it is made until its caller knows the outcome.
 *
 *   queued ──sent──▶ in flight ──▶ settled: answered | refused | timed out | aborted | disconnected
 *      └───────────────────────────▶ settled: timed out | aborted | disconnected, nothing was sent
 *
 * Invariant: it settles exactly once; timer and signal listener are gone by then. A settled call that was sent still
 * occupies its place at the server until the answer comes: that is the channel's business.
 */
export class PendingCall<Result> implements Settleable {
  readonly #options: PendingCallOptions<Result>
  readonly #outcome = Promise.withResolvers<Result>()
  readonly #cancelTimer: () => void
  readonly #onAbort = (): void => this.#abandon(this.#options.signal?.reason)
  #settled = false
  sent = false

  constructor(options: PendingCallOptions<Result>) {
    const { timers, timeoutMs, signal, procedure } = options
    this.#options = options
    this.#cancelTimer = timers.after(timeoutMs, () =>
      this.#abandon(new LibvirtTimeoutError(procedure.name, timeoutMs, this.sent)),
    )
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get outcome(): Promise<Result> {
    return this.#outcome.promise
  }

  get procedure(): Procedure {
    return this.#options.procedure
  }

  /** Reads the answer for the caller; a body that cannot be read fails this call only. */
  answer(body: XdrReader): void {
    this.#settle(() => this.#outcome.resolve(this.#options.read(body)))
  }

  /** Reads the server's refusal. */
  refuse(body: XdrReader): void {
    this.#settle(() => this.#outcome.reject(new LibvirtError(readError(body), this.procedure.name)))
  }

  disconnected(reason: DisconnectReason): void {
    this.#settle(() => this.#outcome.reject(new LibvirtDisconnectedError(this.procedure.name, reason, this.sent)))
  }

  #abandon(reason: unknown): void {
    this.#settle(() => this.#outcome.reject(reason))
    this.#options.onAbandoned()
  }

  #settle(decide: () => void): void {
    if (this.#settled) return
    this.#settled = true
    this.#cancelTimer()
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    try {
      decide()
    } catch (error) {
      this.#outcome.reject(error)
    }
  }
}
