import type { Clock } from '../core/clock.ts'
import { MainstayError, errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import type { PoolStore } from './store.ts'

/** The process no longer leads the pool: what it does for the pool is to stop. */
export class LeadLostError extends MainstayError {
  readonly code = 'MS_POOL_LEAD_LOST'
  readonly status = 503
  readonly retryable = true

  constructor(because: string) {
    super(`This process no longer leads the pool: ${because}. The process that leads goes on with it.`)
  }
}

export interface LeadershipOptions {
  /** How long a leader that is silent still counts as one, in milliseconds. */
  readonly leaseMs: number
  /** How often the lease is prolonged, and how often others look whether it is free, in milliseconds. */
  readonly renewMs: number
}

/** With these a standby takes over at the latest 8 s after the leader's last sign of life. Source: vm-pool.md C9. */
export const DEFAULT_LEADERSHIP: LeadershipOptions = { leaseMs: 6000, renewMs: 2000 }

/** One time of leading. */
export interface Term {
  /** Goes with every write, so that what comes too late is refused. */
  readonly fence: number
  /** Aborted when it is over. */
  readonly signal: AbortSignal
}

/**
 * Whether this process leads the pool.
 *
 *   standby ──lease free or run out──▶ leading ──another leads, or the lease could not be prolonged in time──▶ standby
 *                                         └──resign──▶ standby
 *
 * Invariant: at most one process holds the newest number, and the store refuses every other. A leader that cannot reach the
 * store stops by itself when its lease is over.
 *
 * Source: vm-pool.md C9.
 */
export class Leadership {
  readonly #store: PoolStore
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #id: string
  readonly #options: LeadershipOptions
  #term: (Term & { readonly controller: AbortController; until: number }) | null = null
  #leader: string | null = null

  constructor(
    deps: { readonly store: PoolStore; readonly clock: Clock; readonly logger: Logger; readonly id: string },
    options: Partial<LeadershipOptions> = {},
  ) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#logger = deps.logger
    this.#id = deps.id
    this.#options = { ...DEFAULT_LEADERSHIP, ...options }
  }

  /** The current term, or null as long as another process leads. */
  get term(): Term | null {
    return this.#term
  }

  /** Who led when this process last looked; null before that. */
  get leader(): string | null {
    return this.#leader
  }

  /** Takes or prolongs the lease, once. @returns the term when this process leads now */
  async attempt(): Promise<Term | null> {
    const now = this.#clock.now()
    try {
      const found = await this.#store.lead({ id: this.#id, leaseMs: this.#options.leaseMs, now })
      this.#leader = found.leader
      if (!found.leads) this.#end(`${found.leader} leads the pool`)
      else if (this.#term?.fence === found.fence) this.#term.until = found.until
      else this.#begin(found.fence, found.until)
    } catch (error) {
      this.#logger.warn(`It is not known who leads the pool: ${errorMessage(error)}`)
      if (this.#term !== null && now > this.#term.until) this.#end('the lease could not be prolonged')
    }
    return this.#term
  }

  /** Prolongs, or tries to take over, until the signal is aborted. `began` is called at the start of each term. */
  async keep(signal: AbortSignal, began: (term: Term) => void): Promise<void> {
    let known: number | null = null
    while (!signal.aborted) {
      const term = await this.attempt()
      if (term !== null && term.fence !== known) began(term)
      known = term?.fence ?? null
      await this.#clock.sleep(this.#options.renewMs, { signal })
    }
  }

  /** Lets go, so that another need not wait for the lease to run out. */
  async resign(): Promise<void> {
    if (this.#term === null) return
    this.#end('this process lets go of it')
    await this.#store.resign({ id: this.#id, now: this.#clock.now() })
  }

  /** A write was refused: another has taken over. */
  fenced(): void {
    this.#end('another process has taken over')
  }

  #begin(fence: number, until: number): void {
    this.#end('a new term begins')
    const controller = new AbortController()
    this.#term = { fence, until, controller, signal: controller.signal }
    this.#logger.info({ fence }, 'This process leads the pool')
  }

  #end(because: string): void {
    if (this.#term === null) return
    this.#logger.info({ fence: this.#term.fence }, `This process no longer leads the pool: ${because}`)
    this.#term.controller.abort(new LeadLostError(because))
    this.#term = null
  }
}
