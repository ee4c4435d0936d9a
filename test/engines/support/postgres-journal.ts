import { SystemClock, type Clock } from '../../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../../packages/mainstay/src/core/ids.ts'
import type { Json } from '../../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../../packages/mainstay/src/core/metrics.ts'
import { TaskGroup } from '../../../packages/mainstay/src/core/task-group.ts'
import {
  Engine,
  enqueueWorkflow,
  findWorkflow,
  signalWorkflow,
  type EnqueuedWorkflow,
  type WorkflowDefinition,
  type WorkflowStatus,
  type WorkflowSummary,
} from '../../../packages/mainstay/src/journal/index.ts'
import { errorLog } from '../../../packages/mainstay/src/journal/testing/error-log.ts'
import { PostgresStore, type Store } from '../../../packages/mainstay/src/store/index.ts'

const clock = new SystemClock()
const ids = new SystemIds()

/** How long a test waits for what must come. */
export const PATIENCE_MS = 20_000

/** How often the engines look for work of dead owners. */
export const POLL_MS = 50

/** A journal in a database of its own, with engines that end with it. */
export class PostgresJournal implements AsyncDisposable {
  readonly store: PostgresStore
  readonly tasks: TaskGroup[] = []
  readonly #log = errorLog()
  readonly #engines: Engine[] = []

  private constructor(store: PostgresStore) {
    this.store = store
  }

  /** @param url of an empty database */
  static async open(url: string): Promise<PostgresJournal> {
    const store = PostgresStore.open({ url, clock, logger: silentLogger() })
    await store.migrate()
    return new PostgresJournal(store)
  }

  /** @param seen what the engine has instead of the real clock and the whole store, and how long its lease is */
  async engine(
    definitions: readonly WorkflowDefinition[],
    { leaseMs = 1000, ...seen }: { readonly clock?: Clock; readonly store?: Store; readonly leaseMs?: number } = {},
  ): Promise<Engine> {
    const { logger } = this.#log
    const engineClock = seen.clock ?? clock
    const tasks = new TaskGroup({ clock: engineClock, logger })
    const { store = this.store } = seen
    const deps = { store, clock: engineClock, ids, tasks, logger, metrics: new Metrics() }
    const engine = new Engine(deps, { leaseMs, pollMs: POLL_MS, parkAfterMs: 0, stopTimeoutMs: 2000 })
    for (const definition of definitions) engine.register(definition)
    this.#engines.push(engine)
    this.tasks.push(tasks)
    await engine.start()
    return engine
  }

  errors(): readonly string[] {
    return this.#log.errors
  }

  async stop(engine: Engine): Promise<void> {
    this.#engines.splice(this.#engines.indexOf(engine), 1)
    await engine.stop()
  }

  async enqueue(id: string, { subject = id, name = 'test', input = null as Json } = {}): Promise<EnqueuedWorkflow> {
    const workflow = { id, name, version: 1, subject, input }
    return await this.store.write((queries) => enqueueWorkflow(queries, workflow, clock.now()))
  }

  async signal(workflowId: string, name: string, data: Json): Promise<void> {
    const signal = { id: ids.ordered(), workflowId, name, data }
    await this.store.write((queries) => signalWorkflow(queries, signal, clock.now()))
  }

  async find(id: string): Promise<WorkflowSummary | undefined> {
    return await findWorkflow(this.store.read, id)
  }

  async until(id: string, wanted: WorkflowStatus): Promise<WorkflowSummary> {
    const deadline = clock.monotonic() + PATIENCE_MS
    for (;;) {
      const found = await this.find(id)
      if (found?.status === wanted) return found
      if (clock.monotonic() > deadline) throw new Error(`Workflow ${id} is ${found?.status}, not ${wanted}.`)
      await clock.sleep(20)
    }
  }

  /** Waits until no engine does anything before its clock moves on. */
  async idle(): Promise<void> {
    const deadline = clock.monotonic() + PATIENCE_MS
    for (;;) {
      const busy = this.tasks.flatMap((each) => each.names())
      if (busy.length === 0) return
      if (clock.monotonic() > deadline) throw new Error(`The engines are not done with ${busy.join(', ')}.`)
      await clock.sleep(2)
    }
  }

  /** Makes a workflow look as if an engine that is gone had it. */
  async giveTo(owner: string, id: string, leaseUntil: number): Promise<void> {
    await this.store.write(async (queries) => {
      await queries.insertInto('engines').values({ id: owner, lease_until: leaseUntil, started_at: 0 }).execute()
      const patch = { status: 'running', owner, fence: 1, wake_at: null }
      await queries.updateTable('workflows').set(patch).where('id', '=', id).execute()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#engines.map(async (engine) => await engine.stop()))
    await this.store.close()
  }
}
