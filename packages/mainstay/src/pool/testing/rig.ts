import { ManualClock, SystemClock } from '../../core/clock.ts'
import { SeededIds } from '../../core/ids.ts'
import { silentLogger, type Logger } from '../../core/logging.ts'
import { SeededRandom } from '../../core/random.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { nextTurn } from '../../core/turn.ts'
import { ChangeWatch } from '../change-watch.ts'
import type { PoolChange } from '../change.ts'
import type { HealthCheck } from '../check/index.ts'
import { DEFAULT_MASTER_RULES, type MasterRules } from '../decide/snapshot.ts'
import { PoolMasterFencedError } from '../errors.ts'
import { PoolManager } from '../manager.ts'
import type { MasterListener } from '../cycle.ts'
import type { Term } from '../leadership.ts'
import { PoolMaster, type MasterDuty, type MasterOptions } from '../master.ts'
import { openMemoryPool, PoolMemory } from '../memory/store.ts'
import { PoolOperator } from '../operator.ts'
import { groupRules, poolRules, type GroupRules, type LabelOptions, type PoolRules } from '../options.ts'
import { ProviderFleet } from '../provider/fleet.ts'
import { SimulatedCloud, SimulatedProvider, type SimulatedCloudOptions } from '../provider/simulated/index.ts'
import { DEFAULT_RECONCILE_OPTIONS, reconcile, type ReconcileOptions } from '../reconcile/index.ts'
import type { GroupSetup } from '../setup.ts'
import type { PoolStore } from '../store.ts'
import { Waiters } from '../waiters.ts'
import { Checker } from '../workers/checker.ts'
import { Spawner } from '../workers/spawner.ts'
import { Terminator } from '../workers/terminator.ts'
import { faultyStore, type StoreFault } from './faulty-store.ts'
import { RunningHooks } from './running-hooks.ts'
import { Sleeper } from './sleeper.ts'
import { StoreLine } from './store-line.ts'

export type RigGroup = Pick<GroupRules, 'id'> & Partial<GroupRules> & { readonly setup?: Partial<GroupSetup> }

export interface RigOptions {
  readonly groups?: readonly RigGroup[]
  readonly labels?: readonly LabelOptions[]
  readonly pool?: Partial<PoolRules>
  readonly cloud?: Omit<SimulatedCloudOptions, 'clock'>
  /** Providers by name, all at the same cloud unless given one of their own; one named `sim` unless given. */
  readonly providers?: readonly { readonly name: string; readonly priority?: number; readonly cloud?: SimulatedCloud }[]
  readonly check?: HealthCheck
  readonly rules?: Partial<MasterRules>
  readonly master?: Partial<MasterOptions>
  readonly clock?: ManualClock
  /** Another store than one in memory; called for each process. */
  readonly openStore?: () => Promise<PoolStore>
  /** What may go wrong between a process and the store; a process that was killed reaches it no more anyway. */
  readonly storeFault?: () => StoreFault
  /** What chance does in the processes and in the cloud; 0 unless given. */
  readonly seed?: number
  /** Compares the records with the cloud from time to time. */
  readonly reconcile?: Partial<ReconcileOptions>
  readonly logger?: Logger
}

/** One process of the pool: a master, workers and a manager of its own on the common memory. */
export interface RigProcess extends AsyncDisposable {
  readonly store: PoolStore
  readonly master: PoolMaster
  readonly manager: PoolManager
  readonly operator: PoolOperator
  readonly fleet: ProviderFleet
  readonly spawner: Spawner
  readonly changes: readonly PoolChange[]
  readonly sleeper: Sleeper
  /** How many of its writes were refused because another one led by then. */
  readonly fenced: () => number
  /** How many cycles its master has run. */
  readonly cycles: () => number
  /** Ends it without any farewell, as kill -9 would; nothing of it runs on. */
  kill(): void
}

/** What a rig can be reconfigured with while it runs. */
export interface RigPlan {
  groups: readonly RigGroup[]
  labels: readonly LabelOptions[]
  /** Of the processes that are started from now on. */
  providers: NonNullable<RigOptions['providers']>
}

/** A whole pool on a clock that is moved by hand, with machines of a simulated cloud. */
export class PoolRig implements AsyncDisposable {
  readonly clock: ManualClock
  readonly cloud: SimulatedCloud
  readonly plan: RigPlan
  /** The way of the processes to their database. */
  readonly line = new StoreLine()
  /** What providers are doing to machines now. */
  readonly hooks = new RunningHooks()
  readonly #options: RigOptions
  readonly #memory = new PoolMemory()
  readonly #processes: RigProcess[] = []
  /** Calls of the processes to their stores that have no answer yet. */
  #underWay = 0

  constructor(options: RigOptions = {}) {
    this.#options = options
    this.clock = options.clock ?? new ManualClock()
    this.cloud = new SimulatedCloud({ seed: 1 + (options.seed ?? 0), ...options.cloud, clock: this.clock })
    this.plan = {
      groups: options.groups ?? [{ id: 'g' }],
      labels: options.labels ?? [],
      providers: options.providers ?? [{ name: 'sim' }],
    }
  }

  /** The store itself, without any faults: for looking. */
  async open(ids = new SeededIds(new SeededRandom(999))): Promise<PoolStore> {
    return (await this.#options.openStore?.()) ?? openMemoryPool({ memory: this.#memory, ids })
  }

  /** Starts one more process; `change` breaks its store for it. */
  async process(
    id = `process-${this.#processes.length + 1}`,
    change: (store: PoolStore) => void = () => {},
  ): Promise<RigProcess> {
    const { providers } = this.plan
    const { check = PASSES, rules = {}, master = {}, logger = silentLogger() } = this.#options
    const { clock } = this
    const nth = this.#processes.length + 10_000 * (this.#options.seed ?? 0)
    const random = new SeededRandom(nth + 1)
    const ids = new SeededIds(new SeededRandom(nth + 1000))
    const state = { dead: false }
    const sleeper = new Sleeper()
    const fenced = { count: 0 }
    const opened = await this.open(ids)
    const { storeFault = () => 'none' as const } = this.#options
    const faults = {
      next: () => (this.line.running ? storeFault() : this.line.next()),
      dead: () => state.dead,
      pass: async (call: string) => await sleeper.pass(call),
      failed: (error: unknown) => void (fenced.count += error instanceof PoolMasterFencedError ? 1 : 0),
      underWay: (by: 1 | -1) => void (this.#underWay += by),
      connection: () => this.line.connection,
    }
    change(opened)
    const store = faultyStore(opened, faults)
    const fleet = new ProviderFleet({
      clock,
      random,
      members: providers.map(({ name, priority = 0, cloud = this.cloud }) => ({
        provider: this.hooks.of(new SimulatedProvider({ name, installation: 'rig', cloud })),
        priority,
        weight: 1,
      })),
    })
    const deps = { store, clock, ids, random, logger, fleet }
    const setup = () => ({
      groups: new Map(this.plan.groups.map((group) => [group.id, setupOf(group, providers, check)])),
    })
    const watch = new ChangeWatch(deps)
    const changes: PoolChange[] = []
    watch.on((news) => void (news.kind === 'change' && changes.push(news.change)))
    const waiters = new Waiters(watch)
    const spawner = new Spawner({ ...deps, setup, limitHit: () => {} }, { namePrefix: 'vm', atOnce: 1000 })
    const checker = new Checker({ ...deps, setup }, { atOnce: 32, most: 10_000 })
    const terminator = new Terminator({ ...deps, making: spawner.jobs }, { atOnce: 20, most: 1000, timeoutMs: 60_000 })
    const plan = () => ({
      configuration: async () => ({
        pool: poolRules(this.#options.pool),
        groups: this.plan.groups.map(({ setup: _setup, ...group }) => groupRules(group)),
      }),
      labels: this.plan.labels,
      rules: { ...DEFAULT_MASTER_RULES, ...rules },
    })
    const cycles = { count: 0 }
    const listener: MasterListener = { step: (step) => void (cycles.count += step === 'read_stock' ? 1 : 0) }
    const lead = new PoolMaster(
      { ...deps, listener, watch, spawner, checker, terminator, plan, duties: this.#duties(store, fleet) },
      { id, stepBudgetMs: Number.POSITIVE_INFINITY, ...master },
    )
    const tasks = new TaskGroup({ clock, logger })
    watch.start(tasks)
    lead.start(tasks)
    const started: RigProcess = {
      store,
      master: lead,
      manager: new PoolManager({ ...deps, waiters }),
      operator: new PoolOperator(deps),
      fleet,
      spawner,
      changes,
      sleeper,
      fenced: () => fenced.count,
      cycles: () => cycles.count,
      kill: () => {
        // A store that answers nothing any more: whatever still runs of the process can change nothing.
        state.dead = true
        sleeper.wake()
        void tasks.stop({ timeoutMs: 1 }).catch(() => undefined)
        for (const { jobs } of [spawner, checker, terminator]) {
          for (const name of jobs.names()) jobs.cancel(name, new Error('killed'))
        }
      },
      [Symbol.asyncDispose]: async () => {
        await this.#settle(lead.stop({ timeoutMs: 1000 }))
        await this.#settle(tasks.stop({ timeoutMs: 1000 }))
        await fleet.close()
        await store[Symbol.asyncDispose]()
      },
    }
    this.#processes.push(started)
    await clock.advance(0)
    return started
  }

  #duties(store: PoolStore, fleet: ProviderFleet): MasterDuty[] {
    const { clock } = this
    const { reconcile: given } = this.#options
    if (given === undefined) return []
    const options = { ...DEFAULT_RECONCILE_OPTIONS, ...given }
    const run = async ({ fence, signal }: Term): Promise<void> => {
      await reconcile({ store, clock, providers: fleet.providers, options }, { fence, signal })
    }
    return [{ name: 'reconcile', periodMs: () => options.periodMs, run }]
  }

  /**
   * Moves the clock in small steps, and waits after each until every call to a store has its answer: for stores that are
   * really somewhere else, and answer when they like.
   */
  async advance(ms: number, stepMs = 100): Promise<void> {
    await this.#answered()
    for (let left = ms; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(left, stepMs))
      await this.#answered()
    }
  }

  async #answered(): Promise<void> {
    while (this.#underWay > 0) {
      while (this.#underWay > 0) await nextTurn()
      // What was waiting for these answers asks on.
      await this.clock.advance(0)
    }
  }

  /** Moves the clock until a condition holds. @throws when it does not within `withinMs` of the clock */
  async until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 600_000, stepMs = 250): Promise<void> {
    const end = this.clock.now() + withinMs
    while (!(await holds())) {
      if (this.clock.now() >= end) throw new Error(`${what}: not so within ${withinMs} ms of the manual clock`)
      await this.clock.advance(stepMs)
      // A store that is really somewhere else needs real time, however quickly this clock goes.
      if (this.#underWay > 0) await REAL_CLOCK.sleep(1)
    }
  }

  /** Moves the clock until the work is done. */
  async done<T>(work: Promise<T>, withinMs = 600_000): Promise<T> {
    let settled = false
    const finish = (): void => void (settled = true)
    work.then(finish, finish)
    await this.until('the work is done', () => settled, withinMs)
    return await work
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#processes) await each[Symbol.asyncDispose]()
  }

  async #settle(work: Promise<unknown>): Promise<void> {
    await this.done(work.catch(() => undefined))
  }
}

const REAL_CLOCK = new SystemClock()

const PASSES: HealthCheck = async () => ({ passed: true, reason: '' })

function setupOf(group: RigGroup, providers: readonly { readonly name: string }[], check: HealthCheck): GroupSetup {
  return {
    group: group.id,
    providers: providers.map(({ name }) => name),
    profile: {},
    check,
    checkTimeoutMs: 10_000,
    checkOnAcquire: false,
    ...group.setup,
  }
}
