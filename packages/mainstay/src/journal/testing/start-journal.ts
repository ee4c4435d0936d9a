import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { ManualClock, type Clock } from '../../core/clock.ts'
import { SeededIds } from '../../core/ids.ts'
import type { Json } from '../../core/json.ts'
import { silentLogger, type Logger } from '../../core/logging.ts'
import { Metrics } from '../../core/metrics.ts'
import { SeededRandom } from '../../core/random.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { SqliteStore, type Store } from '../../store/index.ts'
import type { EnqueuedWorkflow } from '../claimed-workflow.ts'
import { Engine, type EngineOptions } from '../engine.ts'
import { cancelWorkflow, enqueueWorkflow, signalWorkflow } from '../enqueue.ts'
import type { RecordedEntry } from '../history.ts'
import { findWorkflow, workflowHistory, type WorkflowSummary } from '../inspect.ts'
import type { WorkflowDefinition, WorkflowStatus } from '../workflow.ts'

/** How often a condition is looked at before it is given up; between two looks the clock moves. */
const LOOKS = 400

export interface StartEngine extends EngineOptions {
  /** What the engine sees instead of the real store. */
  readonly store?: Store
  readonly clock?: Clock
  readonly logger?: Logger
}

/** A journal on a SQLite file of its own, on a clock that is moved by hand. */
export class TestJournal implements AsyncDisposable {
  readonly clock = new ManualClock()
  readonly ids = new SeededIds(new SeededRandom(1))
  readonly store: Store
  readonly #directory: string
  readonly #engines: Engine[] = []

  private constructor(directory: string, store: Store) {
    this.#directory = directory
    this.store = store
  }

  static async open(): Promise<TestJournal> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-journal-'))
    const store = SqliteStore.open({ path: join(directory, 'journal.db') })
    await store.migrate()
    return new TestJournal(directory, store)
  }

  engine(definitions: readonly WorkflowDefinition[], options: StartEngine = {}): Engine {
    const { store = this.store, clock = this.clock, logger = silentLogger(), ...rest } = options
    const tasks = new TaskGroup({ clock, logger })
    const deps = { store, clock, ids: this.ids, tasks, logger, metrics: new Metrics(), random: new SeededRandom(2) }
    const engine = new Engine(deps, rest)
    for (const definition of definitions) engine.register(definition)
    this.#engines.push(engine)
    return engine
  }

  /** One that is not stopped at the end: its process is taken for dead. */
  forget(engine: Engine): void {
    this.#engines.splice(this.#engines.indexOf(engine), 1)
  }

  async enqueue(id: string, { subject = id, name = 'test', input = null as Json } = {}): Promise<EnqueuedWorkflow> {
    const workflow = { id, name, version: 1, subject, input }
    return await this.store.write((queries) => enqueueWorkflow(queries, workflow, this.clock.now()))
  }

  async signal(workflowId: string, name: string, data: Json = null): Promise<void> {
    const signal = { id: this.ids.ordered(), workflowId, name, data }
    await this.store.write((queries) => signalWorkflow(queries, signal, this.clock.now()))
  }

  async cancel(workflowId: string, reason: string): Promise<void> {
    await this.store.write((queries) => cancelWorkflow(queries, { workflowId, reason }, this.clock.now()))
  }

  async find(id: string): Promise<WorkflowSummary> {
    const found = await findWorkflow(this.store.read, id)
    if (found === undefined) throw new Error(`There is no workflow ${id}.`)
    return found
  }

  async history(id: string): Promise<RecordedEntry[]> {
    return await workflowHistory(this.store.read, id)
  }

  /** Moves the clock until the workflow is so; `stepMs` at a time. */
  async until(id: string, wanted: WorkflowStatus, stepMs = 20): Promise<WorkflowSummary> {
    await this.untilTrue(`workflow ${id} is ${wanted}`, async () => (await this.find(id)).status === wanted, stepMs)
    return await this.find(id)
  }

  /** Moves the clock until something is true. */
  async untilTrue(what: string, condition: () => boolean | Promise<boolean>, stepMs = 20): Promise<void> {
    for (let look = 0; look < LOOKS; look += 1) {
      if (await condition()) return
      await this.clock.advance(stepMs)
    }
    throw new Error(`It did not come about that ${what}.`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#engines.splice(0).map(async (engine) => {
        const stopping = engine.stop()
        await this.clock.advance(15_000)
        await stopping
      }),
    )
    await this.store.close()
    await rm(this.#directory, { recursive: true })
  }
}
