import type { Clock } from '../core/clock.ts'
import { ignoreLogged, type TaskGroup } from '../core/task-group.ts'
import type { Look } from './due.ts'
import type { ClaimedWorkflow } from './claimed-workflow.ts'
import type { JournalStore } from './journal-store.ts'
import { Looks } from './looks.ts'

export interface ClaimerDependencies {
  readonly store: JournalStore
  readonly clock: Clock
  readonly tasks: TaskGroup
  /** For whom work is claimed at this moment. */
  readonly engine: () => string
  /** The workflows that the engine knows. */
  readonly names: () => readonly string[]
  /** Ids that the engine is running at the moment, or leaves alone for a while. */
  readonly running: () => ReadonlySet<string>
  /** How many more workflows the engine could run. */
  readonly room: () => number
  readonly begin: (workflow: ClaimedWorkflow) => void
}

/**
 * Looks for work and takes it, one look at a time.
 *
 *   idle ──somebody asks──▶ looking, where it was asked ──▶ looking where it was asked meanwhile ──nobody asks──▶ idle
 *
 * Asked is when something is enqueued, when somebody makes way, when the sleeper that is due first is due, and by the
 * engine's beat, because other engines put workflows to sleep and die.
 */
export class Claimer {
  readonly #deps: ClaimerDependencies
  readonly #looks = new Looks()
  /** Looks for which there was no room to take all that they may have seen. */
  readonly #cutShort = new Looks()
  #stopped = true
  #claiming = false
  #wakeTimer: Disposable | undefined
  #wakeAt = Infinity

  constructor(deps: ClaimerDependencies) {
    this.#deps = deps
  }

  /** Whether a look is under way. */
  get claiming(): boolean {
    return this.#claiming
  }

  start(): void {
    this.#stopped = false
    this.look('everywhere')
  }

  /** Begins no further look. One that is under way may still take something. */
  stop(): void {
    this.#stopped = true
    this.#wakeTimer?.[Symbol.dispose]()
  }

  look(look: Look): void {
    if (this.#stopped) return
    this.#looks.want(look)
    if (this.#claiming) return
    this.#claiming = true
    this.#deps.tasks.spawn('claim workflows', () => this.#claimAll()).catch(ignoreLogged)
  }

  /** Whoever makes way looks for those who waited for it: for room, or as the look says. */
  lookAfter(look: Look): void {
    const cutShort = this.#cutShort.take()
    // Before the look begins, so that one look serves both.
    if (cutShort !== undefined) this.#looks.want(cutShort)
    this.look(look)
  }

  /** One timer for the sleeper that is due first, instead of looking again and again. */
  wakeBy(at: number): void {
    if (this.#stopped || at >= this.#wakeAt) return
    this.#wakeTimer?.[Symbol.dispose]()
    this.#wakeAt = at
    const delayMs = Math.max(1, at - this.#deps.clock.now())
    this.#wakeTimer = this.#deps.clock.after(delayMs, () => {
      this.look('everywhere')
    })
  }

  async #claimAll(): Promise<void> {
    const { store, clock, begin } = this.#deps
    try {
      for (let look = this.#looks.take(); look !== undefined && !this.#stopped; look = this.#looks.take()) {
        const now = clock.now()
        const limit = this.#deps.room()
        const claimed = await store.claim({
          engine: this.#deps.engine(),
          names: this.#deps.names(),
          running: this.#deps.running(),
          now,
          limit,
          look,
        })
        for (const workflow of claimed) begin(workflow)
        if (claimed.length >= limit) this.#cutShort.want(look)
        // Several at once mean a rush, in which more may wait behind them; for a single one, whoever brings more pokes.
        else if (claimed.length > 1) this.#looks.want('waking')
        if (look === 'everywhere') await this.#wakeAtNext(now)
      }
    } finally {
      this.#claiming = false
    }
  }

  async #wakeAtNext(lookedAt: number): Promise<void> {
    // Before the question: what is parked while it is asked, and may not be in the answer, sets a timer of its own.
    this.#wakeTimer?.[Symbol.dispose]()
    this.#wakeTimer = undefined
    this.#wakeAt = Infinity
    const at = await this.#deps.store.nextWake(this.#deps.names(), lookedAt)
    if (at !== undefined) this.wakeBy(at)
  }
}
