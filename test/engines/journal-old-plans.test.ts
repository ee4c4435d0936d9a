import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { sql } from 'kysely'
import { expect, test, type TestContext } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../packages/mainstay/src/core/metrics.ts'
import { TaskGroup } from '../../packages/mainstay/src/core/task-group.ts'
import { Engine, enqueueWorkflow } from '../../packages/mainstay/src/journal/index.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { usePostgres } from './support/shared-postgres.ts'

const clock = new SystemClock()
const ids = new SystemIds()
const STEPS = 3
const OLD = 20_000

/** The server keeps the plan of a statement once it has been executed so often. Source: PREPARE, PostgreSQL's manual. */
const USES_BEFORE_A_PLAN_IS_KEPT = 5

const database = usePostgres()

class Journal implements AsyncDisposable {
  readonly store: PostgresStore
  readonly #engine: Engine

  private constructor(store: PostgresStore) {
    this.store = store
    const logger = silentLogger()
    const tasks = new TaskGroup({ clock, logger })
    // It looks where something happened and nowhere else.
    const options = { leaseMs: 60_000, pollMs: 60_000, stopTimeoutMs: 2000 }
    this.#engine = new Engine({ store, clock, ids, tasks, logger, metrics: new Metrics() }, options)
    this.#engine.register({
      name: 'test',
      version: 1,
      run: async (context) => {
        for (let each = 0; each < STEPS; each += 1)
          await context.step(`step ${each}`, { timeoutMs: 30_000 }, async () => each)
        return null
      },
    })
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
    const left = new Set(Array.from({ length: count }, () => ids.ordered()))
    const ended = Promise.withResolvers<void>()
    const onRecorded = (message: unknown): void => {
      const { workflowId, status } = message as { workflowId: string; status: string | undefined }
      if (status === 'completed' && left.delete(workflowId) && left.size === 0) ended.resolve()
    }
    subscribe('mainstay.journal.recorded', onRecorded)
    const enqueueing = [...left].map(async (id) => {
      const workflow = { id, name: 'test', version: 1, subject: id, input: null }
      await this.store.write((queries) => enqueueWorkflow(queries, workflow, clock.now()))
      this.#engine.poke()
    })
    await Promise.all(enqueueing)
    await ended.promise
    unsubscribe('mainstay.journal.recorded', onRecorded)
  }

  /** How many rows the server has read, by whatever way, of the tables that claims and records look into. */
  async rowsRead(): Promise<number> {
    await sql`select pg_stat_force_next_flush()`.execute(this.store.read)
    const { rows } = await sql<{ read: number }>`select sum(seq_tup_read + idx_tup_fetch)::integer as read
      from pg_stat_user_tables where relname in ('workflows', 'workflow_locks')`.execute(this.store.read)
    return rows[0]?.read ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine.stop()
    await this.store.close()
  }
}

test.for([
  { young: 'that the server has never looked at', look: sql`select 1` },
  { young: 'that the server has measured', look: sql`vacuum analyze workflows, workflow_locks` },
])('plans made for a short journal $young do not read all of it when it is long', async ({ look }, ctx) => {
  await using journal = await Journal.open(ctx)
  const { read } = journal.store
  // Whether the server looks after the tables by itself is not left to chance.
  for (const table of ['workflows', 'workflow_locks'])
    await sql`alter table ${sql.table(table)} set (autovacuum_enabled = false)`.execute(read)
  await journal.run(3)
  await look.execute(read)
  for (let use = 0; use <= USES_BEFORE_A_PLAN_IS_KEPT; use += 1) {
    await journal.run(1)
    await journal.run(10)
  }
  await sql`insert into workflows (id, name, version, subject, input, status, created_at, updated_at, finished_at)
    select 'old ' || n, 'test', 1, 'old ' || n, 'null', 'completed', n, n, n from generate_series(1, ${OLD}) n`.execute(
    read,
  )
  const before = await journal.rowsRead()
  await journal.run(1)
  await journal.run(100)
  // Each of them is looked up some twenty times.
  expect((await journal.rowsRead()) - before).toBeLessThan(OLD / 5)
})
