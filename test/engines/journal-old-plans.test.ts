import { sql } from 'kysely'
import { expect, test, type TestContext } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../packages/mainstay/src/core/metrics.ts'
import { TaskGroup } from '../../packages/mainstay/src/core/task-group.ts'
import { Engine, enqueueWorkflow, type WorkflowDefinition } from '../../packages/mainstay/src/journal/index.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { usePostgres } from './support/shared-postgres.ts'

const clock = new SystemClock()
const ids = new SystemIds()
const STEPS = 3

/** The server keeps the plan of a statement once it has been executed so often. Source: PREPARE, PostgreSQL's manual. */
const USES_BEFORE_A_PLAN_IS_KEPT = 5

const database = usePostgres()

class Journal implements AsyncDisposable {
  readonly store: PostgresStore
  readonly #ended = new Map<string, () => void>()
  readonly #engine: Engine

  private constructor(store: PostgresStore) {
    this.store = store
    const logger = silentLogger()
    const tasks = new TaskGroup({ clock, logger })
    // It looks where something happened and nowhere else.
    const options = { leaseMs: 60_000, pollMs: 60_000, stopTimeoutMs: 2000 }
    this.#engine = new Engine({ store, clock, ids, tasks, logger, metrics: new Metrics() }, options)
    const definition: WorkflowDefinition = {
      name: 'test',
      version: 1,
      run: async (context) => {
        for (let each = 0; each < STEPS; each += 1)
          await context.step(`step ${each}`, { timeoutMs: 30_000 }, async () => each)
        return null
      },
      ended: async (_queries, { workflowId }) => this.#ended.get(workflowId)?.(),
    }
    this.#engine.register(definition)
  }

  static async open(ctx: TestContext): Promise<Journal> {
    // One connection, which executes every statement often enough.
    const store = PostgresStore.open({ url: await database(ctx), clock, logger: silentLogger(), maxConnections: 1 })
    await store.migrate()
    const journal = new Journal(store)
    await journal.#engine.start()
    return journal
  }

  /** Runs so many workflows at the same time until all have ended. */
  async run(count: number): Promise<void> {
    const ends = Array.from({ length: count }, async () => {
      const id = ids.ordered()
      const end = Promise.withResolvers<void>()
      this.#ended.set(id, end.resolve)
      const workflow = { id, name: 'test', version: 1, subject: id, input: null }
      await this.store.write((queries) => enqueueWorkflow(queries, workflow, clock.now()))
      this.#engine.poke()
      await end.promise
    })
    await Promise.all(ends)
  }

  /** How many rows of the journal were read by reading a whole table. */
  async readWhole(): Promise<number> {
    await sql`select pg_stat_force_next_flush()`.execute(this.store.read)
    const { rows } = await sql<{ read: number }>`select sum(seq_tup_read)::integer as read from pg_stat_user_tables
      where relname in ('workflows', 'workflow_history')`.execute(this.store.read)
    return rows[0]?.read ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine.stop()
    await this.store.close()
  }
}

test('plans that the server made when the journal was empty do not read all of it when it is long', async (ctx) => {
  await using journal = await Journal.open(ctx)
  const { read } = journal.store
  // Whether the server happens to look after the tables in between is not what is asked.
  await sql`alter table workflows set (autovacuum_enabled = false)`.execute(read)
  for (let use = 0; use <= USES_BEFORE_A_PLAN_IS_KEPT; use += 1) {
    await journal.run(1)
    await journal.run(10)
  }
  await sql`insert into workflows (id, name, version, subject, input, status, created_at, updated_at, finished_at)
    select 'old ' || n, 'test', 1, 'old ' || n, 'null', 'completed', n, n, n from generate_series(1, 20000) n`.execute(
    read,
  )
  const before = await journal.readWhole()
  await journal.run(1)
  await journal.run(10)
  expect((await journal.readWhole()) - before).toBe(0)
})
