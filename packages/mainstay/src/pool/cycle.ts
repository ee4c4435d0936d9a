import type { Clock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import { STEPS, type CarryOut } from './carry-out.ts'
import { decidePool, type PoolDecisions } from './decide.ts'
import { rulesOf } from './decide/due-decisions.ts'
import { NO_MEMORY, type DecisionMemory, type MasterRules, type PoolStock, type UnderWay } from './decide/snapshot.ts'
import { PoolMasterFencedError } from './errors.ts'
import type { Term } from './leadership.ts'
import type { LabelOptions, PoolConfiguration } from './options.ts'
import { DUE_BATCH, readStock, snapshotOf } from './read-snapshot.ts'
import type { Due, PoolStore } from './store.ts'
import type { Checker } from './workers/checker.ts'
import type { Spawner } from './workers/spawner.ts'
import type { Terminator } from './workers/terminator.ts'

/** What the configuration says to the master; replaced as a whole when it is read again (C20). */
export interface MasterPlan {
  /** With what operators said laid over it. */
  readonly configuration: () => Promise<PoolConfiguration>
  readonly labels: readonly LabelOptions[]
  readonly rules: MasterRules
}

/** Told of what the master does, for the metrics. */
export interface MasterListener {
  step?(name: string, seconds: number, failed: boolean): void
  decided?(decisions: PoolDecisions, stock: PoolStock): void
  leading?(leads: boolean): void
}

export interface OpeningStep {
  readonly name: string
  run(): Promise<void>
}

export interface CycleDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly logger: Logger
  readonly spawner: Spawner
  readonly checker: Checker
  readonly terminator: Terminator
  readonly plan: () => MasterPlan
  /** What a new leader does before its first cycle, besides what the cycle itself needs. */
  readonly openings?: readonly OpeningStep[] | undefined
  readonly listener?: MasterListener | undefined
  /** The longest that one step may take, in milliseconds. */
  readonly stepBudgetMs: number
  /** Called when a write was refused because another master has taken over. */
  readonly fenced: () => void
}

/** Batches of due machines that one cycle works off before it looks at the rest of the pool again. */
const MOST_BATCHES = 20

/** Requests that are ended in one cycle. */
const EXPIRE_BATCH = 1000

/**
 * What a leader does once per cycle: looks what is due and what is missing, decides, and has it done.
 *
 * Each step has its own time and its own failures: one that fails is logged and counted, the others go on. Every write
 * carries the number of the term, so that a master that was asleep for too long changes nothing.
 *
 * Source: vm-pool.md A6.1, C2, C9.
 */
export class PoolCycle {
  readonly #deps: CycleDeps
  #memory: DecisionMemory = NO_MEMORY

  constructor(deps: CycleDeps) {
    this.#deps = deps
  }

  get memory(): DecisionMemory {
    return this.#memory
  }

  /** What this process works on itself. */
  underWay(): UnderWay {
    const { spawner, checker, terminator } = this.#deps
    return {
      building: spawner.jobs.byGroup(),
      destroying: terminator.jobs.names(),
      checkRoom: checker.jobs.room,
      destroyRoom: terminator.jobs.room,
    }
  }

  /** What a new leader does before its first cycle. @returns whether all of it was done; else it is to be done again */
  async open(term: Term): Promise<boolean> {
    const { store, clock, plan, openings = [] } = this.#deps
    this.#memory = NO_MEMORY
    const { fence } = term
    const opening: readonly (readonly [string, () => Promise<void>])[] = [
      ['configure', async () => await store.configure(await plan().configuration(), { fence })],
      ['mark_start', async () => await store.markServerStart({ fence, now: clock.now() })],
      ['lost_checks', async () => await this.#restoreLostChecks()],
      ...openings.map((opening) => [opening.name, async () => await opening.run()] as const),
    ]
    for (const [name, work] of opening) if ((await this.step(name, term, work)) === null) return false
    return true
  }

  /** One cycle. @returns whether more is due at once */
  async run(term: Term): Promise<boolean> {
    const { store, clock, listener } = this.#deps
    const { fence } = term
    const configuration = await this.step('read_configuration', term, async () => await store.configuration())
    if (configuration === null) return false
    let due: Due | null = null
    for (let batch = 0; batch < MOST_BATCHES && !term.signal.aborted; batch += 1) {
      due = await this.step('read_due', term, async () => await store.due({ now: clock.now(), limit: DUE_BATCH }))
      // What is missing is looked at once, with the last batch.
      if (due?.more !== true) break
      const before = this.underWay().checkRoom
      await this.#carryOut(this.#decide(configuration, due, null), due, configuration, term)
      if (before === 0) break
    }
    if (due !== null && due.requests > 0) {
      const input = { fence, limit: EXPIRE_BATCH }
      await this.step('expire_requests', term, async () => await store.expireRequests({ ...input, now: clock.now() }))
    }
    const stock = await this.step('read_stock', term, async () => await readStock(store, clock.now()))
    const decided = this.#decide(configuration, due?.more === true ? null : due, stock)
    if (stock !== null) listener?.decided?.(decided, stock)
    await this.#carryOut(decided, due, configuration, term)
    const waitedFor = stock?.counts.filter(({ waiting, free }) => waiting > 0 && free > 0) ?? []
    if (waitedFor.length > 0) {
      const groups = waitedFor.map(({ group }) => group)
      await this.step('serve', term, async () => await store.serve({ groups, now: clock.now() }))
    }
    return due?.more === true
  }

  #decide(configuration: PoolConfiguration, due: Due | null, stock: PoolStock | null): PoolDecisions {
    const { clock, spawner, plan } = this.#deps
    const { labels, rules } = plan()
    const parts = { configuration, labels, rules, due, stock, underWay: this.underWay(), memory: this.#memory }
    const decided = decidePool(snapshotOf({ ...parts, whyNot: (group) => spawner.whyNot(group) }, clock.now()))
    this.#memory = decided.memory
    return decided
  }

  async #carryOut(
    { decisions }: PoolDecisions,
    due: Due | null,
    configuration: PoolConfiguration,
    term: Term,
  ): Promise<void> {
    const { clock } = this.#deps
    const vms = new Map(due?.vms.map(({ vm }) => [vm.name, vm]))
    const means: CarryOut = {
      ...this.#deps,
      fence: term.fence,
      now: () => clock.now(),
      vm: (name) => vms.get(name),
      rulesOf: (group) => rulesOf({ configuration }, group),
    }
    const kinds = new Set(decisions.map((decision) => decision.do))
    for (const { kind, run } of STEPS) {
      if (kinds.has(kind)) await this.step(kind, term, async () => await run(decisions, means))
    }
  }

  /** Checks that nobody waits for any more, because the master that began them is gone, count as not begun (C7). */
  async #restoreLostChecks(): Promise<void> {
    const { store, clock, checker } = this.#deps
    let cursor: string | null = null
    do {
      const page = await store.list({ states: ['check_health'], limit: DUE_BATCH, cursor })
      for (const { name, checkStartedAt } of page.vms) {
        if (checker.jobs.has(name) || checkStartedAt === null) continue
        await store.checkNotLaunched({ name, startedAt: checkStartedAt, now: clock.now() })
      }
      cursor = page.cursor
    } while (cursor !== null)
  }

  /** One step within its time. @returns null when it failed, or was not begun because the term is over */
  async step<T>(
    name: string,
    term: Term,
    work: () => Promise<T>,
    budgetMs = this.#deps.stepBudgetMs,
  ): Promise<T | null> {
    const { clock, logger, listener } = this.#deps
    if (term.signal.aborted) return null
    const began = clock.monotonic()
    const took = (): number => (clock.monotonic() - began) / 1000
    try {
      const limited = { clock, what: `The step ${name} of the pool's cycle`, timeoutMs: budgetMs }
      const result = Number.isFinite(budgetMs) ? await withDeadline(limited, work) : await work()
      listener?.step?.(name, took(), false)
      return result
    } catch (error) {
      listener?.step?.(name, took(), true)
      if (error instanceof PoolMasterFencedError) this.#deps.fenced()
      else
        logger.error({ step: name, err: error }, `The step ${name} of the pool's cycle failed: ${errorMessage(error)}`)
      return null
    }
  }
}
