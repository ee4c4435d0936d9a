import { ManualClock } from '../../core/clock.ts'
import { SeededIds } from '../../core/ids.ts'
import { silentLogger, type Logger } from '../../core/logging.ts'
import { SeededRandom } from '../../core/random.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { ChangeWatch } from '../change-watch.ts'
import type { PoolChange } from '../change.ts'
import type { HealthCheck } from '../check/index.ts'
import { DEFAULT_MASTER_RULES, type MasterRules } from '../decide/snapshot.ts'
import { PoolManager } from '../manager.ts'
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
import { faultyStore } from './faulty-store.ts'

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
  readonly storeFault?: () => 'none' | 'before' | 'after'
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
  /** Ends it without any farewell, as kill -9 would; nothing of it runs on. */
  kill(): void
}

/** What a rig can be reconfigured with while it runs. */
export interface RigPlan {
  groups: readonly RigGroup[]
  labels: readonly LabelOptions[]
}

/** A whole pool on a clock that is moved by hand, with machines of a simulated cloud. */
export class PoolRig implements AsyncDisposable {
  readonly clock: ManualClock
  readonly cloud: SimulatedCloud
  readonly plan: RigPlan
  readonly #options: RigOptions
  readonly #memory = new PoolMemory()
  readonly #processes: RigProcess[] = []

  constructor(options: RigOptions = {}) {
    this.#options = options
    this.clock = options.clock ?? new ManualClock()
    this.cloud = new SimulatedCloud({ ...options.cloud, clock: this.clock })
    this.plan = { groups: options.groups ?? [{ id: 'g' }], labels: options.labels ?? [] }
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
    const {
      providers = [{ name: 'sim' }],
      check = PASSES,
      rules = {},
      master = {},
      logger = silentLogger(),
    } = this.#options
    const { clock } = this
    const random = new SeededRandom(this.#processes.length + 1)
    const ids = new SeededIds(new SeededRandom(1000 + this.#processes.length))
    const state = { dead: false }
    const opened = await this.open(ids)
    const faults = { next: this.#options.storeFault ?? (() => 'none' as const), dead: () => state.dead }
    change(opened)
    const store = faultyStore(opened, faults)
    const deps = { store, clock, ids, random, logger }
    const fleet = new ProviderFleet({
      clock,
      random,
      members: providers.map(({ name, priority = 0, cloud = this.cloud }) => ({
        provider: new SimulatedProvider({ name, installation: 'rig', cloud }),
        priority,
        weight: 1,
      })),
    })
    const setup = () => ({
      groups: new Map(this.plan.groups.map((group) => [group.id, setupOf(group, providers, check)])),
    })
    const watch = new ChangeWatch(deps)
    const changes: PoolChange[] = []
    watch.on((news) => void (news.kind === 'change' && changes.push(news.change)))
    const waiters = new Waiters(watch)
    const spawner = new Spawner({ ...deps, fleet, setup, limitHit: () => {} }, { namePrefix: 'vm', atOnce: 1000 })
    const checker = new Checker({ ...deps, setup }, { atOnce: 32, most: 10_000 })
    const terminator = new Terminator({ ...deps, fleet }, { atOnce: 20, most: 1000, timeoutMs: 60_000 })
    const plan = () => ({
      configuration: async () => ({
        pool: poolRules(this.#options.pool),
        groups: this.plan.groups.map(({ setup: _setup, ...group }) => groupRules(group)),
      }),
      labels: this.plan.labels,
      rules: { ...DEFAULT_MASTER_RULES, ...rules },
    })
    const lead = new PoolMaster(
      { ...deps, watch, spawner, checker, terminator, plan, duties: this.#duties(store, fleet) },
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
      kill: () => {
        // A store that answers nothing any more: whatever still runs of the process can change nothing.
        state.dead = true
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

  /** Moves the clock until a condition holds. @throws when it does not within `withinMs` of the clock */
  async until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 600_000, stepMs = 250): Promise<void> {
    const end = this.clock.now() + withinMs
    while (!(await holds())) {
      if (this.clock.now() >= end) throw new Error(`${what}: not so within ${withinMs} ms of the manual clock`)
      await this.clock.advance(stepMs)
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
