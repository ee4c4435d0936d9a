import type { Clock } from '../core/clock.ts'
import { runInContext, type RequestContext } from '../core/context.ts'
import { ShutdownError, errorMessage } from '../core/errors.ts'
import type { MainstayEvent } from '../core/event.ts'
import type { Ids } from '../core/ids.ts'
import { isJsonObject, type Json } from '../core/json.ts'
import type { Logger } from '../core/logging.ts'
import type { Metrics } from '../core/metrics.ts'
import { SystemRandom, type Random } from '../core/random.ts'
import { ignoreLogged, type TaskGroup } from '../core/task-group.ts'
import type { Store } from '../store/index.ts'
import { Claimer } from './claimer.ts'
import { LeaseLostError, NotClaimed, StaleOwnerError, WorkflowCancelledError } from './errors.ts'
import type { RecordedEntry } from './history.ts'
import { firstClaimed, type ClaimedWorkflow, type EnqueuedWorkflow } from './claimed-workflow.ts'
import { JournalStore } from './journal-store.ts'
import type { FirstClaim } from './record.ts'
import { Parked, WorkflowRun } from './run.ts'
import { isStoreTrouble } from './store-trouble.ts'
import { Troubled, type Trouble } from './troubled.ts'
import type { WorkflowDefinition, WorkflowEnd } from './workflow.ts'

export interface EngineOptions {
  /** An engine that has been silent for this long is taken for dead. */
  readonly leaseMs?: number
  /** How often work is looked for although nobody said that there is some. */
  readonly pollMs?: number
  /** Workflows that run at the same time. */
  readonly maxConcurrent?: number
  /** Waits longer than this are left to the database. */
  readonly parkAfterMs?: number
  /** The longest that a workflow is left alone about which nothing could be written. */
  readonly maxTroubleDelayMs?: number
  /** How often a workflow is tried again that can be neither ended nor parked, for a reason that stays, before it fails. */
  readonly maxTroubles?: number
  /** How long {@link Engine.stop} waits for workflows to let go. */
  readonly stopTimeoutMs?: number
  /** Whether no other process can use this store, so that older leases are known to be dead. */
  readonly exclusive?: boolean
}

export interface EngineDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly tasks: TaskGroup
  readonly logger: Logger
  readonly metrics: Metrics
  readonly random?: Random
  /** Called after a change of our own tables, made by a workflow, is on disk. */
  readonly afterCommit?: () => void
}

const DEFAULT_OPTIONS: Required<EngineOptions> = {
  leaseMs: 3000,
  pollMs: 1000,
  maxConcurrent: 256,
  parkAfterMs: 5000,
  maxTroubleDelayMs: 60_000,
  maxTroubles: 5,
  stopTimeoutMs: 10_000,
  exclusive: false,
}

interface Running {
  readonly run: WorkflowRun
  readonly stop: AbortController
}

/**
 * Runs workflows.
 *
 *   stopped ──start──▶ leading its own lease ──renewal too late──▶ lets go of everything, leads a new lease
 *                              └──stop──▶ hands its workflows back, ends the lease
 *
 * Every engine may run every workflow. An engine that dies leaves its lease to expire; another claims its workflows,
 * which raises their fencing tokens, and goes on from the history. An engine that was only paused finds its lease
 * expired, or its writes refused, and lets go.
 */
export class Engine {
  readonly #store: JournalStore
  readonly #deps: EngineDependencies
  readonly #options: Required<EngineOptions>
  readonly #definitions = new Map<string, WorkflowDefinition>()
  readonly #running = new Map<string, Running>()
  readonly #troubled: Troubled
  readonly #finished
  #id: string
  #renewedAt = 0
  /** Whether the lease of this id was on disk, and was not given up. */
  #leads = false
  readonly #claimer: Claimer
  #stopped = true
  #timer: Disposable | undefined

  constructor(deps: EngineDependencies, options: EngineOptions = {}) {
    this.#deps = deps
    this.#options = { ...DEFAULT_OPTIONS, ...options }
    const { pollMs, maxTroubleDelayMs } = this.#options
    this.#troubled = new Troubled(deps.clock, { minDelayMs: pollMs, maxDelayMs: maxTroubleDelayMs })
    this.#store = new JournalStore(deps.store)
    this.#id = deps.ids.ordered()
    this.#claimer = new Claimer({
      ...deps,
      store: this.#store,
      engine: () => this.#id,
      names: () => [...this.#definitions.keys()],
      running: () => new Set([...this.#running.keys(), ...this.#troubled.resting()]),
      room: () => this.#options.maxConcurrent - this.#running.size,
      begin: (claimed) => {
        this.#begin(claimed)
      },
    })
    this.#finished = deps.metrics.counter('mainstay_workflows_ended_total', 'Workflows that ended', ['name', 'status'])
  }

  get id(): string {
    return this.#id
  }

  /** Makes a workflow known. Only known workflows are claimed. */
  register<Input extends Json>(definition: WorkflowDefinition<Input>): void {
    this.#definitions.set(definition.name, definition as unknown as WorkflowDefinition)
  }

  /** @throws StoreUnavailableError */
  async start(): Promise<void> {
    if (this.#options.exclusive) await this.#store.endAllLeases()
    this.#stopped = false
    await this.#lead()
    this.#schedule()
    this.#claimer.start()
  }

  /**
   * Looks for work now: something was enqueued or signalled.
   *
   * @param enqueued all that there is to be found, once it is on disk. With nothing else to do the engine begins it
   *   without looking, and claims it with the first thing that it writes down: a round trip and a flush less
   */
  poke(enqueued?: EnqueuedWorkflow): void {
    // A look that is under way does not know that this engine runs it, and would take it for abandoned once it is claimed.
    const isIdle = this.#running.size === 0 && !this.#claimer.claiming
    const mayClaim = this.#leads && !this.#stopped && this.#options.maxConcurrent > 0
    if (enqueued !== undefined && isIdle && mayClaim && this.#definitions.has(enqueued.name)) {
      this.#begin(firstClaimed(enqueued), { engine: this.#id })
    } else {
      this.#claimer.look('waking')
    }
  }

  /** Stops claiming, aborts what runs and hands it back, so that another engine goes on at once. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#timer?.[Symbol.dispose]()
    this.#claimer.stop()
    this.#letGo(new ShutdownError('The workflow'))
    const { clock, logger } = this.#deps
    const deadline = clock.monotonic() + this.#options.stopTimeoutMs
    while ((this.#running.size > 0 || this.#claimer.claiming) && clock.monotonic() < deadline) await clock.sleep(5)
    if (this.#running.size > 0) {
      const workflows = [...this.#running.keys()]
      logger.warn({ workflows }, 'Workflows did not let go in time; their writes will be refused once others own them.')
    }
    await this.#store.endLease(this.#id)
  }

  async #lead(): Promise<void> {
    this.#leads = false
    const startedAt = this.#deps.clock.monotonic()
    const now = this.#deps.clock.now()
    await this.#store.renewLease(this.#id, { now, until: now + this.#options.leaseMs, first: true })
    this.#renewedAt = startedAt
    this.#leads = true
  }

  #schedule(): void {
    this.#timer = this.#deps.clock.after(Math.min(this.#options.leaseMs / 3, this.#options.pollMs), () => {
      if (this.#stopped) return
      this.#deps.tasks
        .spawn('renew lease', () => this.#beat())
        .catch(ignoreLogged)
        .finally(() => {
          if (!this.#stopped) this.#schedule()
        })
      this.#claimer.look('everywhere')
    })
  }

  async #beat(): Promise<void> {
    const startedAt = this.#deps.clock.monotonic()
    const silentMs = startedAt - this.#renewedAt
    const now = this.#deps.clock.now()
    const known =
      silentMs <= this.#options.leaseMs &&
      (await this.#store.renewLease(this.#id, { now, until: now + this.#options.leaseMs, first: false }))
    if (!known) {
      const lost = new LeaseLostError(this.#id, silentMs)
      this.#deps.logger.warn({ engine: this.#id, running: this.#running.size }, lost.message)
      this.#letGo(lost)
      this.#leads = false
      await this.#store.endLease(this.#id)
      this.#id = this.#deps.ids.ordered()
      await this.#lead()
      return
    }
    this.#renewedAt = startedAt
    if (this.#running.size === 0) return
    for (const [id, reason] of await this.#store.cancelled(this.#id)) {
      this.#running.get(id)?.stop.abort(new WorkflowCancelledError(id, reason))
    }
  }

  #letGo(reason: Error): void {
    for (const { run, stop } of this.#running.values()) {
      run.leave(reason)
      stop.abort(reason)
    }
  }

  /** @param claim for a workflow that was not claimed yet */
  #begin(claimed: ClaimedWorkflow, claim?: FirstClaim): void {
    const definition = this.#definitions.get(claimed.name)
    if (definition === undefined) return
    const stop = new AbortController()
    const { clock, ids, random = new SystemRandom(), afterCommit = () => undefined } = this.#deps
    const { parkAfterMs } = this.#options
    const context = carriedContext(claimed.context)
    const about = { workflowId: claimed.id, input: claimed.input, correlationId: context?.requestId ?? null }
    const tell = (entry: RecordedEntry): MainstayEvent | undefined => definition.tell?.(entry, about)
    const tools = { store: this.#store, clock, ids, random, afterCommit, parkAfterMs, tell }
    const run = new WorkflowRun(claimed, tools, { signal: stop.signal, claim })
    this.#running.set(claimed.id, { run, stop })
    if (this.#stopped) this.#letGo(new ShutdownError('The workflow'))
    const work = async (): Promise<void> => {
      try {
        await this.#execute(definition, claimed, run, stop)
        this.#troubled.forget(claimed.id)
      } catch (error) {
        this.#postpone(claimed, error)
      } finally {
        // Once it was parked, another run of it may have begun already.
        if (this.#running.get(claimed.id)?.run === run) this.#running.delete(claimed.id)
      }
      // Its subject is free now. What was let go of may be anybody's, also ours.
      this.#claimer.lookAfter(stop.signal.aborted ? 'everywhere' : [claimed.subject])
    }
    const spawn = (): Promise<void> => this.#deps.tasks.spawn(`workflow ${claimed.name} ${claimed.id}`, work)
    const task = context === undefined ? spawn() : runInContext(context, spawn)
    task.catch(ignoreLogged)
  }

  #postpone(claimed: ClaimedWorkflow, error: unknown): void {
    const logger = this.#loggerOf(claimed)
    if (error instanceof NotClaimed) {
      logger.debug(error.message)
      return
    }
    const { times } = this.#troubled.add(claimed.id, error)
    logger.error({ err: error, times }, `It goes on later: ${errorMessage(error)}`)
  }

  async #execute(
    definition: WorkflowDefinition,
    claimed: ClaimedWorkflow,
    run: WorkflowRun,
    stop: AbortController,
  ): Promise<void> {
    const trouble = this.#troubled.of(claimed.id)
    if (trouble !== undefined && trouble.hopeless >= this.#options.maxTroubles) {
      await this.#giveUp(definition, claimed, run, trouble)
      return
    }
    try {
      if (claimed.cancelReason !== null) throw new WorkflowCancelledError(claimed.id, claimed.cancelReason)
      const result = await definition.run(run, claimed.input)
      await run.settled()
      run.checkFinished()
      await this.#end(definition, claimed, run, { status: 'completed', reason: null, result })
    } catch (error) {
      // A function that ends early because another branch of it parked or was stopped is leaving for that reason.
      const reason: unknown = stop.signal.aborted ? stop.signal.reason : error
      run.leave(error instanceof Error ? error : new Error(String(error)))
      await run.settled()
      await this.#leave(definition, claimed, run, stop.signal.aborted ? reason : ((await run.journal.loss()) ?? reason))
    }
  }

  async #leave(
    definition: WorkflowDefinition,
    claimed: ClaimedWorkflow,
    run: WorkflowRun,
    reason: unknown,
  ): Promise<void> {
    const logger = this.#loggerOf(claimed)
    if (reason instanceof Parked) {
      await run.journal.change(reason.change)
      if (reason.change.wakeAt !== null) this.#claimer.wakeBy(reason.change.wakeAt)
    } else if (reason instanceof StaleOwnerError || reason instanceof LeaseLostError) {
      logger.warn(reason.message)
    } else if (reason instanceof ShutdownError) {
      if (!(await run.journal.owned())) return
      const now = this.#deps.clock.now()
      await run.journal.change({ status: 'waiting', wakeAt: now, reason: 'handed over at shutdown', result: null })
    } else if (reason instanceof WorkflowCancelledError) {
      await this.#end(definition, claimed, run, { status: 'cancelled', reason: reason.message, result: null })
    } else if (isStoreTrouble(reason) || reason instanceof NotClaimed) {
      // Nothing can be written now; what is ours stays ours and is claimed again after a while.
      throw reason
    } else {
      // Of what may be somebody else's nothing is said before it is ours.
      const isOwned = await run.journal.owned()
      const tell = (): void => logger.error({ err: reason }, `The workflow failed: ${errorMessage(reason)}`)
      if (isOwned) tell()
      try {
        await this.#end(definition, claimed, run, { status: 'failed', reason: errorMessage(reason), result: null })
      } finally {
        if (!isOwned && (await run.journal.owned())) tell()
      }
    }
  }

  /** Ends a workflow that can be neither run on nor ended as it wants, for a reason that does not go away. */
  async #giveUp(
    definition: WorkflowDefinition,
    claimed: ClaimedWorkflow,
    run: WorkflowRun,
    { times, message }: Trouble,
  ): Promise<void> {
    const reason = `It was given up after ${times} tries: ${message}`
    const end = { status: 'failed', reason, result: null } as const
    this.#loggerOf(claimed).error(reason)
    try {
      await this.#end(definition, claimed, run, end)
    } catch (error) {
      if (error instanceof StaleOwnerError || error instanceof NotClaimed || isStoreTrouble(error)) throw error
      // What should happen at its end is what fails. Better an end without it than a subject that is blocked for ever.
      this.#loggerOf(claimed).error({ err: error }, `Its records were left as they are: ${errorMessage(error)}`)
      await run.journal.change({ ...end, wakeAt: null })
    }
  }

  #loggerOf({ name, id }: ClaimedWorkflow): Logger {
    return this.#deps.logger.child({ workflow: name, workflowId: id })
  }

  async #end(
    definition: WorkflowDefinition,
    claimed: ClaimedWorkflow,
    run: WorkflowRun,
    end: { status: WorkflowEnd['status']; reason: string | null; result: Json },
  ): Promise<void> {
    const change = { ...end, wakeAt: null }
    const { ended } = definition
    if (ended === undefined) await run.journal.change(change)
    else {
      await run.journal.end(change, async (queries, at) => {
        await ended(queries, { workflowId: claimed.id, input: claimed.input, ...end, at })
      })
    }
    this.#finished.inc({ name: claimed.name, status: end.status })
  }
}

/** What a workflow carries of the request that started it. It was written by `enqueueWorkflow` and by nobody else. */
function carriedContext(stored: Json): RequestContext | undefined {
  return isJsonObject(stored) ? (stored as unknown as RequestContext) : undefined
}
