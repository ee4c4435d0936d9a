import type { Clock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import type { TaskGroup } from '../core/task-group.ts'
import type { ChangeWatch } from './change-watch.ts'
import type { ChangeKind, PoolNews } from './change.ts'
import { PoolCycle, type MasterListener, type MasterPlan, type OpeningStep } from './cycle.ts'
import { Leadership, type LeadershipOptions, type Term } from './leadership.ts'
import type { PoolStore } from './store.ts'
import type { Checker } from './workers/checker.ts'
import type { Spawner } from './workers/spawner.ts'
import type { Terminator } from './workers/terminator.ts'

export interface MasterOptions {
  /** Names this process among the masters. */
  readonly id: string
  /** The longest time between two cycles, in milliseconds; changes and deadlines bring the next one earlier. */
  readonly cycleMs: number
  /** The least time between two cycles, in milliseconds. */
  readonly minGapMs: number
  /** The longest that one step of a cycle may take, in milliseconds. */
  readonly stepBudgetMs: number
  readonly leadership: Partial<LeadershipOptions>
}

export const DEFAULT_MASTER_OPTIONS: Omit<MasterOptions, 'id'> = {
  cycleMs: 10_000,
  minGapMs: 200,
  stepBudgetMs: 30_000,
  leadership: {},
}

/** Care that is not decided by `decidePool`: the reconciler, repairs. Runs while this process leads. */
export interface MasterDuty {
  readonly name: string
  /** How often, in milliseconds. */
  readonly periodMs: () => number
  /** How long after the beginning of a term it is first done; after a period unless given. */
  readonly firstMs?: number
  run(term: Term): Promise<void>
}

export interface MasterDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly logger: Logger
  readonly watch: ChangeWatch
  readonly spawner: Spawner
  readonly checker: Checker
  readonly terminator: Terminator
  readonly plan: () => MasterPlan
  readonly duties: readonly MasterDuty[]
  readonly openings?: readonly OpeningStep[] | undefined
  readonly listener?: MasterListener | undefined
}

/** How long after an opening that failed it is tried again, in milliseconds. */
const OPEN_AGAIN_MS = 1000

/** Changes after which there is something to do; all others wait for a deadline or the next cycle. */
const STIRRING: ReadonlySet<ChangeKind> = new Set([
  'vm.added',
  'vm.acquired',
  'vm.released',
  'vm.resetting',
  'vm.reset',
  'vm.spawn_failed',
  'vm.terminating',
  'vm.removed',
  'vm.check_failed',
  'vm.standby',
  'request.waiting',
  'request.reordered',
])

/**
 * Leads the pool: looks what is due and what is missing, decides, and has it done.
 *
 *   standby ──▶ leading: opening ──▶ cycle ──▶ pause ──▶ cycle …      pause ends at the next deadline, at a change, or after
 *      ▲                    │           │                             `cycleMs`
 *      └──── the term ends ─┴───────────┘
 *
 * Source: vm-pool.md A6, C9.
 */
export class PoolMaster {
  readonly #deps: MasterDeps
  readonly #options: MasterOptions
  readonly #leadership: Leadership
  readonly #cycle: PoolCycle
  #wake = Promise.withResolvers<void>()
  #stopping = new AbortController()
  #done: Promise<unknown> = Promise.resolve()

  constructor(deps: MasterDeps, options: Partial<MasterOptions> & Pick<MasterOptions, 'id'>) {
    this.#deps = deps
    this.#options = { ...DEFAULT_MASTER_OPTIONS, ...options }
    this.#leadership = new Leadership({ ...deps, id: options.id }, this.#options.leadership)
    const { stepBudgetMs } = this.#options
    this.#cycle = new PoolCycle({ ...deps, stepBudgetMs, fenced: () => this.#leadership.fenced() })
  }

  get leadership(): Leadership {
    return this.#leadership
  }

  /** The work of one cycle, for tests and for plans that know what is under way. */
  get cycle(): PoolCycle {
    return this.#cycle
  }

  /** Begins to stand by, and to lead when nobody does. */
  start(tasks: TaskGroup): void {
    const watching = this.#deps.watch.on((news) => this.#notice(news))
    const ended = tasks.spawn('lead the pool', async (stopAll) => {
      const signal = AbortSignal.any([stopAll, this.#stopping.signal])
      try {
        await this.#leadership.keep(signal, (term) => void this.#lead(tasks, term))
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        watching[Symbol.dispose]()
      }
    })
    this.#done = ended.catch(() => undefined)
  }

  /** Brings the next cycle forward. */
  poke(): void {
    this.#wake.resolve()
  }

  /**
   * Stops leading, so that another can at once, then lets the running work end. What does not end in time stays on
   * record, and whoever leads next goes on with it.
   */
  async stop({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    const { spawner, checker, terminator, logger } = this.#deps
    this.#stopping.abort()
    await this.#done
    try {
      await this.#leadership.resign()
    } catch (error) {
      logger.warn(`The lead of the pool runs out by itself: ${errorMessage(error)}`)
    }
    const workers = [spawner, checker, terminator]
    await Promise.all(workers.map(async ({ jobs }) => await jobs.stop({ timeoutMs })))
  }

  async #lead(tasks: TaskGroup, term: Term): Promise<void> {
    const { listener, duties, spawner } = this.#deps
    listener?.leading?.(true)
    term.signal.addEventListener(
      'abort',
      () => {
        listener?.leading?.(false)
        // Another leader goes on with the machines that are being made, within limits that know nothing of us.
        if (!this.#stopping.signal.aborted) spawner.jobs.cancelAll(term.signal.reason)
      },
      { once: true },
    )
    const run = async (name: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
      await tasks.spawn(name, async (stopAll) => {
        const signal = AbortSignal.any([stopAll, term.signal, this.#stopping.signal])
        try {
          await work(signal)
        } catch (error) {
          if (!signal.aborted) throw error
        }
      })
    }
    const works = [
      run('pool cycle', async (signal) => await this.#cycles(term, signal)),
      ...duties.map((duty) => run(duty.name, async (signal) => await this.#perform(duty, term, signal))),
    ]
    const before = this.#done
    this.#done = Promise.allSettled([before, ...works])
  }

  async #cycles(term: Term, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    // Without the mark of its start, machines would be handed out that nobody looked at since.
    while (!(await this.#cycle.open(term))) await clock.sleep(OPEN_AGAIN_MS, { signal })
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers<void>()
      const more = await this.#cycle.run(term)
      await clock.sleep(this.#options.minGapMs, { signal })
      if (!more) await this.#pause(signal)
    }
  }

  async #perform(duty: MasterDuty, term: Term, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    await clock.sleep(Math.min(duty.firstMs ?? Number.POSITIVE_INFINITY, duty.periodMs()), { signal })
    while (!signal.aborted) {
      await this.#cycle.step(duty.name, term, async () => await duty.run(term), Number.POSITIVE_INFINITY)
      await clock.sleep(duty.periodMs(), { signal })
    }
  }

  /** Until somebody wakes it, something is due, or the longest pause is over. */
  async #pause(signal: AbortSignal): Promise<void> {
    const { store, clock, logger } = this.#deps
    const { cycleMs, minGapMs } = this.#options
    let nextMs = cycleMs
    try {
      const next = await store.nextDue()
      if (next !== null) nextMs = Math.min(cycleMs, next - clock.now())
    } catch (error) {
      logger.warn(`It is not known when something is due next: ${errorMessage(error)}`)
    }
    const pause = Promise.withResolvers<void>()
    const stop = (): void => pause.resolve()
    signal.addEventListener('abort', stop, { once: true })
    // What is overdue and could not be done now is not asked for over and over again.
    using _timer = clock.after(Math.max(minGapMs, nextMs), stop)
    await Promise.race([this.#wake.promise, pause.promise])
    signal.removeEventListener('abort', stop)
  }

  #notice(news: PoolNews): void {
    if (news.kind === 'gap' || STIRRING.has(news.change.kind)) this.#wake.resolve()
  }
}
