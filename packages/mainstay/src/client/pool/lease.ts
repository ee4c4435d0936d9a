import type { Clock } from '../../core/clock.ts'
import { isRetryable } from '../../core/errors.ts'
import { MainstayApiError } from '../errors.ts'
import { LeaseLostError, LeasePreemptedError } from './errors.ts'
import type { GrantedLease, PoolVm } from './pool-record.ts'

/** What a lease asks of the server. */
export interface LeaseCalls {
  heartbeat(
    lease: { readonly name: string; readonly token: string },
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly expiresInMs: number; readonly preemptInMs: number | null }>
  release(lease: { readonly name: string; readonly token: string; readonly failed?: boolean }): Promise<PoolVm>
  giveUp(lease: { readonly name: string; readonly token: string; readonly reason: string }): Promise<void>
}

/** A sign of life is sent when so much of the lease is over, so that two may get lost. */
const SHARE = 1 / 3

/** The pause after a sign of life that did not arrive, in milliseconds. */
const RETRY_MS = 1000

/**
 * A machine that is ours for as long as this object lives.
 *
 *   held ──heartbeat answered──▶ held
 *     ├──the server says no, or no answer until the lease is over──▶ lost: `signal` is aborted
 *     └──release, giveUp, end of the `await using` block──▶ ended
 *
 *   await using lease = await client.pools.acquire({ worker: 'me', labels: ['linux'], waitMs: 60_000 })
 *   await build(lease.ip, { signal: lease.signal })
 *
 * Source: vm-pool.md C5.
 */
export class PoolLease implements AsyncDisposable {
  readonly vm: PoolVm
  readonly name: string
  readonly ip: string | null
  readonly token: string
  readonly #calls: LeaseCalls
  readonly #clock: Clock
  readonly #lost = new AbortController()
  readonly #preempted = new AbortController()
  readonly #ending = new AbortController()
  readonly #beating: Promise<void>
  /** On the monotonic clock. */
  #until: number
  #leaseMs: number

  constructor(granted: GrantedLease, calls: LeaseCalls, clock: Clock) {
    this.vm = granted.vm
    this.name = granted.name
    this.ip = granted.ip
    this.token = granted.token
    this.#calls = calls
    this.#clock = clock
    this.#leaseMs = granted.expiresInMs
    this.#until = clock.monotonic() + granted.expiresInMs
    this.#beating = this.#beat()
  }

  /** Aborted, with a LeaseLostError, when the machine is not ours any more. Give it to all that works on the machine. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** Aborted, with a LeasePreemptedError, when a more urgent request wants the machine: there is a moment left. */
  get preempted(): AbortSignal {
    return this.#preempted.signal
  }

  /** Gives the machine back. @param options.failed whether the use failed, for holds on failure @throws LeaseLostError */
  async release(options: { readonly failed?: boolean } = {}): Promise<void> {
    await this.#end()
    this.#lost.signal.throwIfAborted()
    const { name, token } = this
    await this.#ours('release', async () => await this.#calls.release({ name, token, ...options }))
  }

  /** Has the machine destroyed, because it is of no use. @throws LeaseLostError */
  async giveUp(reason: string): Promise<void> {
    await this.#end()
    this.#lost.signal.throwIfAborted()
    const { name, token } = this
    await this.#ours('destroy', async () => await this.#calls.giveUp({ name, token, reason }))
  }

  /** Gives the machine back unless that was done; one that was lost is nobody's to give back. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending.signal.aborted || this.#lost.signal.aborted) {
      await this.#end()
      return
    }
    try {
      await this.release()
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error
    }
  }

  async #end(): Promise<void> {
    this.#ending.abort(new LeaseLostError(this.name, 'it was given back'))
    await this.#beating
  }

  async #beat(): Promise<void> {
    const { signal } = this.#ending
    let pauseMs = this.#leaseMs * SHARE
    while (!signal.aborted && !this.#lost.signal.aborted) {
      try {
        await this.#clock.sleep(pauseMs, { signal })
        await this.#showLife(signal)
        pauseMs = this.#leaseMs * SHARE
      } catch (error) {
        if (signal.aborted) return
        pauseMs = Math.min(RETRY_MS, this.#leaseMs * SHARE)
        this.#judge(error)
      }
    }
  }

  async #showLife(signal: AbortSignal): Promise<void> {
    const { name, token } = this
    const sentAt = this.#clock.monotonic()
    const { expiresInMs, preemptInMs } = await this.#calls.heartbeat({ name, token }, { signal })
    this.#leaseMs = expiresInMs
    // Counted from the sending: the answer may have been on its way for long.
    this.#until = sentAt + expiresInMs
    if (preemptInMs !== null && !this.#preempted.signal.aborted) {
      this.#preempted.abort(new LeasePreemptedError(name, preemptInMs))
    }
  }

  /** The lease is lost when the server says so, or when nothing was heard until its end. */
  #judge(error: unknown): void {
    const over = this.#clock.monotonic() >= this.#until
    if (isRetryable(error) && !over) return
    const why = over ? 'no answer came until it was over' : 'the server refused the sign of life'
    this.#lost.abort(new LeaseLostError(this.name, why, { cause: error }))
  }

  async #ours(what: string, call: () => Promise<unknown>): Promise<void> {
    try {
      await call()
    } catch (error) {
      const gone =
        error instanceof MainstayApiError && (error.faultKey === 'MS_POOL_LEASE_LOST' || error.status === 404)
      if (!gone) throw error
      const lost = new LeaseLostError(this.name, `the server refused to ${what} it`, { cause: error })
      this.#lost.abort(lost)
      throw lost
    }
  }
}
