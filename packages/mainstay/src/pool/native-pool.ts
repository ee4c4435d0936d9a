import type { Clock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import type { Publish } from '../core/event.ts'
import type { Ids } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import type { Random } from '../core/random.ts'
import type { TaskGroup } from '../core/task-group.ts'
import { ChangeWatch } from './change-watch.ts'
import type { CheckOutcome } from './check/index.ts'
import type { ProviderCandidate } from './choose-provider.ts'
import type { MasterRules } from './decide/snapshot.ts'
import type { DrainMode, VmDescriptor } from './descriptor.ts'
import { PoolDesk } from './desk.ts'
import { PoolManager } from './manager.ts'
import { PoolMaster, type MasterDuty, type MasterOptions } from './master.ts'
import type { PoolMetrics } from './metrics.ts'
import { OperatorMarks } from './operator-marks.ts'
import { PoolOperator } from './operator.ts'
import type { LabelOptions, PoolConfiguration } from './options.ts'
import { DemandRecorder } from './forecast/demand-recorder.ts'
import { findMachines } from './pick-machines.ts'
import { ProviderMemory } from './provider-memory.ts'
import type { ProviderFleet } from './provider/fleet.ts'
import { reconcile, type ReconcileOptions, type ReconcileReport } from './reconcile/index.ts'
import { ReconcileTeller } from './tell-reconcile.ts'
import type { PoolSetup } from './setup.ts'
import { ACTIVE_STATES } from './state.ts'
import type { PoolStore } from './store.ts'
import { providerlessMachines, providerlessText } from './providerless-machines.ts'
import { Waiters } from './waiters.ts'
import { Checker, checkOnce, type CheckerOptions } from './workers/checker.ts'
import { Spawner, type SpawnerOptions } from './workers/spawner.ts'
import { Terminator, type TerminatorOptions } from './workers/terminator.ts'

/** All that a pool is configured with; replaced as a whole when the configuration is read again (C20). */
export interface PoolSettings {
  readonly configuration: PoolConfiguration
  readonly labels: readonly LabelOptions[]
  readonly setup: PoolSetup
  readonly rules: MasterRules
  readonly reconcile: ReconcileOptions
  /** Whether demand is learnt and `plan` shows what it would keep idle (C13). */
  readonly forecast: boolean
}

/** What stays as it is until the process ends. */
export interface PoolProcessOptions {
  readonly master: Partial<MasterOptions> & Pick<MasterOptions, 'id'>
  readonly spawner: SpawnerOptions
  readonly checker: CheckerOptions
  readonly terminator: TerminatorOptions
}

export interface NativePoolParts {
  readonly store: PoolStore
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  readonly logger: Logger
  readonly tasks: TaskGroup
  readonly metrics: PoolMetrics
  readonly fleet: ProviderFleet
  /** What is told beside the changes of the store. */
  readonly events: Publish
}

/** A crash may have left something behind: a new leader looks soon. */
const FIRST_RECONCILE_MS = 15_000

/** How often what operators said of providers is looked up, in milliseconds. */
const MARKS_PERIOD_MS = 5000

/** How often what is known of providers is kept, in milliseconds. */
const PROVIDERS_PERIOD_MS = 1000

/** How often what was learnt of the demand is kept, in milliseconds. */
const DEMAND_PERIOD_MS = 900_000

/**
 * The pool of one process: what clients and operators do, answers to "what would you do, and why", and, where the process
 * may lead, the master with its workers.
 *
 * Source: vm-pool.md part C.
 */
export class NativePool {
  readonly manager: PoolManager
  readonly operator: PoolOperator
  readonly desk: PoolDesk
  readonly watch: ChangeWatch
  readonly master: PoolMaster
  readonly #parts: NativePoolParts
  readonly #marks: OperatorMarks
  readonly #providers: ProviderMemory
  readonly #waiters: Waiters
  readonly #spawner: Spawner
  readonly #enabledSince = new Map<string, number>()
  readonly #demand = new DemandRecorder()
  readonly #reconciled: ReconcileTeller
  #settings: PoolSettings
  #leads = false

  constructor(parts: NativePoolParts, settings: PoolSettings, options: PoolProcessOptions) {
    const { store, clock, fleet, metrics } = parts
    this.#parts = parts
    this.#settings = settings
    this.#reconciled = new ReconcileTeller(parts)
    this.#marks = new OperatorMarks(store)
    this.#providers = new ProviderMemory(store)
    this.watch = new ChangeWatch(parts)
    this.#waiters = new Waiters(this.watch)
    this.manager = new PoolManager({ ...parts, waiters: this.#waiters, handOver: this.#handOver.bind(this) })
    this.operator = new PoolOperator(parts)
    const setup = (): PoolSetup => this.#settings.setup
    const told = { limitHit: metrics.limitHit.bind(metrics), launched: metrics.launched.bind(metrics) }
    this.#spawner = new Spawner({ ...parts, ...told, setup }, options.spawner)
    this.master = new PoolMaster(
      {
        ...parts,
        watch: this.watch,
        spawner: this.#spawner,
        checker: new Checker({ ...parts, setup }, options.checker),
        terminator: new Terminator({ ...parts, making: this.#spawner.jobs }, options.terminator),
        plan: () => ({ ...this.#settings, configuration: async () => await this.#configuration() }),
        duties: this.#duties(),
        openings: [{ name: 'recall_providers', run: async () => await this.#providers.takeOver(fleet) }],
        listener: {
          step: metrics.step.bind(metrics),
          leading: (leads) => this.#lead(leads),
          decided: (decided, { counts }) => {
            metrics.counted(counts)
            metrics.decided(decided)
            metrics.providers(fleet.candidates())
          },
        },
      },
      options.master,
    )
    this.desk = new PoolDesk({
      store,
      clock,
      labels: () => this.#settings.labels,
      rules: () => this.#settings.rules,
      whyNot: (group) => this.#spawner.whyNot(group),
      providers: () => fleet.candidates(),
      master: () => (this.#leads ? { underWay: this.master.cycle.underWay(), memory: this.master.cycle.memory } : null),
      leader: () => this.master.leadership.leader,
      forecast: (now) => (this.#settings.forecast ? this.#demand.forecast(this.#settings.labels, now) : null),
    })
  }

  /** Whether this process leads the pool now. */
  get leads(): boolean {
    return this.#leads
  }

  get healthOptions(): ProviderFleet['healthOptions'] {
    return this.#parts.fleet.healthOptions
  }

  /** Begins to watch; with `lead` also to stand by as a master. */
  async start({ lead }: { readonly lead: boolean }): Promise<void> {
    const { tasks, metrics, fleet } = this.#parts
    // Before the first cycle, so that nothing is made where it should not be.
    await this.#marks.apply(fleet, this.#enabledSince)
    await this.#warnOfProviderless()
    // The very first start: clients may come before anybody leads. Later on the leader's rules hold.
    if ((await this.#parts.store.configuration()).groups.length === 0) await this.#configure()
    if (this.#settings.forecast) await this.#demand.load(this.#parts.store, this.#settings.labels)
    this.watch.on((news) => {
      if (!this.#leads || news.kind !== 'change') return
      metrics.changed(news.change)
      const { labels, configuration, forecast } = this.#settings
      if (forecast) this.#demand.observe(news.change, labels, configuration.groups)
    })
    this.watch.start(tasks)
    if (lead) this.master.start(tasks)
  }

  async stop({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    await this.master.stop({ timeoutMs })
    this.#waiters[Symbol.dispose]()
  }

  /** Goes on with other settings, from the next cycle on. Machines of groups that are gone are drained (C20). */
  async reload(settings: PoolSettings): Promise<void> {
    this.#settings = settings
    this.#spawner.forgetFaults()
    await this.#configure()
  }

  /** Drains a group, or undoes it with null. The word is kept until it is taken back (C12). */
  async drainGroup(group: string, drain: DrainMode | null): Promise<void> {
    await this.#marks.drainGroup(group, drain)
    await this.#configure()
    if (drain === null) await this.#eachMachine(group, async (names) => await this.operator.undrain(names))
  }

  /** Stops making machines at a provider, and ends or sets aside those that it made; null undoes it. */
  async drainProvider(provider: string, drain: DrainMode | null): Promise<void> {
    await this.#marks.drainProvider(provider, drain)
    await this.#marks.apply(this.#parts.fleet, this.#enabledSince)
    for (const { group } of await this.#parts.store.counts({ now: this.#parts.clock.now() })) {
      const own = (vm: VmDescriptor): boolean => vm.provider === provider
      const act = async (names: readonly string[]): Promise<unknown> =>
        drain === null ? await this.operator.undrain(names) : await this.operator.drain(names, drain)
      await this.#eachMachine(group, act, own)
    }
  }

  /** Lets a provider be asked again at once, whatever it did before. */
  async enableProvider(provider: string): Promise<void> {
    await this.#marks.enableProvider(provider, this.#parts.clock.now())
    this.#parts.fleet.enable(provider)
    this.#spawner.forgetFaults()
    this.master.poke()
  }

  /** How the providers do, as the process that leads knows it. */
  async providers(): Promise<readonly ProviderCandidate[]> {
    if (!this.#leads) await this.#providers.follow(this.#parts.fleet)
    return this.desk.providers()
  }

  /** Compares the records with what the providers show, on an operator's word. */
  async reconcile(run: {
    readonly signal: AbortSignal
    readonly confirmed?: ReadonlySet<string>
    readonly dryRun: boolean
  }): Promise<ReconcileReport> {
    return await this.#reconcile({ ...run, fence: null })
  }

  #duties(): MasterDuty[] {
    const periodMs = (): number => this.#settings.reconcile.periodMs
    return [
      {
        name: 'reconcile',
        periodMs,
        firstMs: FIRST_RECONCILE_MS,
        run: async ({ fence, signal }) => void (await this.#reconcile({ fence, signal, dryRun: false })),
      },
      {
        name: 'operator_marks',
        periodMs: () => MARKS_PERIOD_MS,
        run: async () => await this.#marks.apply(this.#parts.fleet, this.#enabledSince),
      },
      {
        name: 'keep_providers',
        periodMs: () => PROVIDERS_PERIOD_MS,
        run: async () => await this.#providers.keep(this.#parts.fleet),
      },
      {
        name: 'keep_demand',
        periodMs: () => DEMAND_PERIOD_MS,
        run: async () => {
          if (this.#settings.forecast) await this.#demand.save(this.#parts.store)
        },
      },
    ]
  }

  async #reconcile(run: Parameters<typeof reconcile>[1]): Promise<ReconcileReport> {
    const { store, clock, fleet } = this.#parts
    const options = this.#settings.reconcile
    const report = await reconcile({ store, clock, providers: fleet.providers, options }, run)
    this.#reconciled.tell(report)
    return report
  }

  /** Machines whose provider is gone from the configuration are not handed out and not destroyed: somebody has to know. */
  async #warnOfProviderless(): Promise<void> {
    for (const [provider, names] of await providerlessMachines(this.#parts.store, this.#parts.fleet)) {
      this.#parts.logger.warn(
        { provider, machines: names.length, some: names.slice(0, 10) },
        providerlessText(provider, names),
      )
    }
  }

  async #handOver(vm: VmDescriptor, signal: AbortSignal): Promise<CheckOutcome | null> {
    const { clock, logger } = this.#parts
    const found = this.#settings.setup.groups.get(vm.group)
    if (found === undefined || !found.checkOnAcquire) return null
    try {
      return await checkOnce(clock, found, vm, signal)
    } catch (error) {
      signal.throwIfAborted()
      // That it could not be looked at says nothing of the machine, whose last check passed.
      logger.warn(
        { vm: vm.name, err: error },
        `The machine ${vm.name} is handed over unchecked: ${errorMessage(error)}`,
      )
      return { passed: true, reason: 'it could not be looked at' }
    }
  }

  async #configuration(): Promise<PoolConfiguration> {
    return await this.#marks.overlay(this.#settings.configuration)
  }

  async #configure(): Promise<void> {
    await this.#parts.store.configure(await this.#configuration(), { fence: null })
    this.manager.forgetConfiguration()
    this.master.poke()
  }

  async #eachMachine(
    group: string,
    act: (names: readonly string[]) => Promise<unknown>,
    suits: (vm: VmDescriptor) => boolean = () => true,
  ): Promise<void> {
    const vms = await findMachines(this.#parts.store, { group, states: ACTIVE_STATES }, Number.POSITIVE_INFINITY, suits)
    if (vms.length > 0) await act(vms.map(({ name }) => name))
  }

  #lead(leads: boolean): void {
    this.#leads = leads
    this.#parts.metrics.leading(leads)
  }
}
