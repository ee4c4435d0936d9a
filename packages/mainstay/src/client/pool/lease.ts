import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import type { CallOptions } from '../transport.ts'
import { LeaseLostError, LeasePreemptedError, LeaseReleaseUnconfirmedError } from './errors.ts'
import { saysLeaseGone } from './lease-answer.ts'
import type { GrantedLease, PoolVm } from './pool-record.ts'

/** What a lease asks of the server. */
export interface LeaseCalls {
  heartbeat(
    lease: { readonly name: string; readonly token: string },
    options: CallOptions,
  ): Promise<{ readonly expiresInMs: number; readonly preemptInMs: number | null }>
  release(
    lease: { readonly name: string; readonly token: string; readonly failed?: boolean },
    options: CallOptions,
  ): Promise<PoolVm>
  giveUp(
    lease: { readonly name: string; readonly token: string; readonly reason: string },
    options: CallOptions,
  ): Promise<void>
}

/** A sign of life is sent when so much of the lease is over, and may take as much of it: two may get lost. */
export const LEASE_SHARE = 1 / 3

/** The longest pause after a call that failed, in milliseconds. */
const PAUSE_MS = 1000

/** The pause after a call that failed is no longer than this part of the time that a call may take. */
const PAUSE_SHARE = 1 / 4

/** Half of the first pause between calls that give a machine back, in milliseconds. */
const FIRST_PAUSE_MS = 50

/**
 * A machine that is ours for as long as this object lives.
 *
 *   held ──sign of life answered──▶ held
 *     │  ├──the server says that it is gone──────────────────▶ lost: `signal` is aborted
 *     │  └──the moment until which it is certainly ours passes──▶ lost
 *     └──release, giveUp, end of the `await using` block──▶ giving back
 *   giving back ──confirmed──▶ ended
 *     └──not confirmed until the lease would have ended──▶ abandoned: no more signs of life; may be given back again
 *
 * Invariant: `signal` is aborted no later than the pool may give the machine to somebody else, whatever call hangs. That
 * moment is the server's duration counted from when the call was sent, on our monotonic clock.
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
  #expiry: Disposable
  /** While it is being given back. */
  #giving: Promise<void> | null = null
  #given = false
  /** Why the last sign of life was not confirmed. */
  #trouble: unknown

  /** @param granted a lease that lasts `expiresInMs` from now on, at least */
  constructor(granted: GrantedLease, calls: LeaseCalls, clock: Clock) {
    this.vm = granted.vm
    this.name = granted.name
    this.ip = granted.ip
    this.token = granted.token
    this.#calls = calls
    this.#clock = clock
    this.#leaseMs = granted.expiresInMs
    this.#until = clock.monotonic() + granted.expiresInMs
    this.#expiry = this.#watch()
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

  /**
   * Gives the machine back. A call that fails is repeated until the lease would have ended, and life is shown meanwhile.
   *
   * @param options.failed whether the use failed, for holds on failure
   * @throws LeaseLostError, LeaseReleaseUnconfirmedError
   */
  async release(options: { readonly failed?: boolean } = {}): Promise<void> {
    const { name, token } = this
    await this.#giveBack('release', async (signal) => {
      await this.#calls.release({ name, token, ...options }, { signal })
    })
  }

  /** Has the machine destroyed, because it is of no use; repeated as {@link release}. @throws as release */
  async giveUp(reason: string): Promise<void> {
    const { name, token } = this
    await this.#giveBack('destroy', async (signal) => await this.#calls.giveUp({ name, token, reason }, { signal }))
  }

  /**
   * Gives the machine back unless that was done; also when an earlier try was not confirmed. One that was lost is nobody's
   * to give back.
   *
   * @throws LeaseReleaseUnconfirmedError
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#given && !this.#lost.signal.aborted) {
      try {
        await this.release()
      } catch (error) {
        if (!(error instanceof LeaseLostError)) throw error
      }
    }
    await this.#beating
  }

  /** How long one call may take, and the time between two signs of life. */
  get #turnMs(): number {
    return Math.max(1, this.#leaseMs * LEASE_SHARE)
  }

  get #leftMs(): number {
    return Math.max(0, this.#until - this.#clock.monotonic())
  }

  /** Ends the lease at the moment until which it is certainly ours: no call has to end for that. */
  #watch(): Disposable {
    return this.#clock.after(this.#leftMs, () => this.#lose('no answer came until it was over', this.#trouble))
  }

  #lose(why: string, cause: unknown): LeaseLostError {
    const error = new LeaseLostError(this.name, why, { cause })
    this.#expiry[Symbol.dispose]()
    this.#lost.abort(error)
    return error
  }

  async #beat(): Promise<void> {
    const signal = AbortSignal.any([this.#ending.signal, this.#lost.signal])
    let pauseMs = this.#turnMs
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(pauseMs, { signal })
        await this.#showLife(signal)
        pauseMs = this.#turnMs
      } catch (error) {
        if (signal.aborted) return
        if (saysLeaseGone(error)) {
          // While it is given back, that may be why: whoever gives it back learns more.
          if (this.#giving === null) this.#lose('the server refused the sign of life', error)
          return
        }
        this.#trouble = error
        pauseMs = Math.min(PAUSE_MS, this.#turnMs * PAUSE_SHARE)
      }
    }
  }

  async #showLife(outer: AbortSignal): Promise<void> {
    const { name, token } = this
    const sentAt = this.#clock.monotonic()
    const { expiresInMs, preemptInMs } = await this.#limited(`The sign of life for ${name}`, outer, async (signal) => {
      return await this.#calls.heartbeat({ name, token }, { signal })
    })
    outer.throwIfAborted()
    this.#leaseMs = expiresInMs
    this.#until = sentAt + expiresInMs
    this.#expiry[Symbol.dispose]()
    this.#expiry = this.#watch()
    if (preemptInMs !== null && !this.#preempted.signal.aborted) {
      this.#preempted.abort(new LeasePreemptedError(name, preemptInMs))
    }
  }

  /** One at a time: whoever comes meanwhile waits for the one that is under way. */
  async #giveBack(what: string, call: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#lost.signal.throwIfAborted()
    if (this.#given) throw new LeaseLostError(this.name, 'it was given back')
    this.#giving ??= this.#insist(what, call)
    try {
      await this.#giving
    } finally {
      this.#giving = null
    }
  }

  /** Calls until it is confirmed, or until the lease as it is now would have ended. */
  async #insist(what: string, call: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const until = this.#until
    let trouble: unknown
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#limited(`The call to ${what} ${this.name}`, this.signal, call)
        break
      } catch (error) {
        if (saysLeaseGone(error)) {
          // A repeat that finds nothing has what it wanted: an earlier one was carried out and its answer was lost.
          if (attempt > 1) break
          throw this.#lose(`the server refused to ${what} it`, error)
        }
        // That the lease ended meanwhile is no reason why the call failed.
        if (!this.signal.aborted || trouble === undefined) trouble = error
        if (!(await this.#mayRepeat(attempt, until))) {
          this.#ending.abort()
          throw new LeaseReleaseUnconfirmedError(this.name, this.#leftMs, { cause: trouble })
        }
      }
    }
    this.#given = true
    this.#expiry[Symbol.dispose]()
    this.#ending.abort()
    await this.#beating
  }

  /** Waits before the next attempt, twice as long after each. @returns whether there is time for one */
  async #mayRepeat(attempt: number, until: number): Promise<boolean> {
    const pauseMs = Math.min(PAUSE_MS, this.#turnMs * PAUSE_SHARE, 2 ** attempt * FIRST_PAUSE_MS)
    const { signal } = this
    try {
      await this.#clock.sleep(pauseMs, { signal })
    } catch (error) {
      if (!signal.aborted) throw error
    }
    return !signal.aborted && this.#clock.monotonic() < until
  }

  async #limited<T>(what: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return await withDeadline({ clock: this.#clock, what, timeoutMs: this.#turnMs, signal }, work)
  }
}
