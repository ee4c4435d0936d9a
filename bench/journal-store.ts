import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pLimit from 'p-limit'

import { SystemClock } from '../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../packages/mainstay/src/core/metrics.ts'
import { TaskGroup } from '../packages/mainstay/src/core/task-group.ts'
import {
  Engine,
  enqueueAlone,
  enqueueWorkflow,
  type EnqueuedWorkflow,
  type NewWorkflow,
} from '../packages/mainstay/src/journal/index.ts'
import { PostgresStore, SqliteStore, type Store } from '../packages/mainstay/src/store/index.ts'
import { startPrivatePostgres } from '../test/engines/support/private-postgres.ts'
import type { BenchResult } from './run.ts'

const STEPS = 5

/** Workflows of either kind that run before any is counted: a server runs for months, with compiled code and kept plans. */
const WARM_UP = 4000

/** Adds a workflow; what it returns the engine is told of. */
type Enqueue = (store: Store, workflow: NewWorkflow, now: number) => Promise<EnqueuedWorkflow>

/** As the API does it: in a transaction with something of our own. */
const enqueueInTransaction: Enqueue = async (store, workflow, now) =>
  await store.write(async (queries) => await enqueueWorkflow(queries, workflow, now))

/** Measures the journal on the store that is named; the results are written to standard output as JSON. */
async function main(kind: string | undefined): Promise<void> {
  const results = kind === 'sqlite' ? await onSqlite() : await onPostgres()
  process.stdout.write(JSON.stringify(results))
}

async function onSqlite(): Promise<BenchResult[]> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-bench-'))
  const store = SqliteStore.open({ path: join(directory, 'journal.db') })
  try {
    return await measure('sqlite', store)
  } finally {
    await store.close()
    await rm(directory, { recursive: true })
  }
}

async function onPostgres(): Promise<BenchResult[]> {
  await using postgres = await startPrivatePostgres()
  const store = PostgresStore.open({ url: postgres.url, clock: new SystemClock(), logger: silentLogger() })
  try {
    return await measure('postgres', store)
  } finally {
    await store.close()
  }
}

async function measure(name: string, store: Store): Promise<BenchResult[]> {
  await store.migrate()
  const results: BenchResult[] = []
  for (const concurrency of [1, 16, 256]) {
    const count = concurrency === 1 ? 1000 : 3000
    for (const enqueue of [enqueueInTransaction, enqueueAlone]) {
      await workflows(store, enqueue, { count: WARM_UP, concurrency })
    }
    const together = Math.round(await workflows(store, enqueueInTransaction, { count, concurrency }))
    const alone = Math.round(await workflows(store, enqueueAlone, { count, concurrency }))
    const inserts = Math.round(await plainInserts(store, concurrency === 1 ? 1000 : 10_000, concurrency))
    process.stderr.write(
      `${name}, ${concurrency} at a time: ${alone} workflows/s; ${together} if each is enqueued in a transaction; ` +
        `${inserts} plain inserts/s\n`,
    )
    for (const [metric, value] of [
      ['workflows_per_s', alone],
      ['workflows_enqueued_in_transaction_per_s', together],
    ] as const) {
      results.push({
        metric,
        params: { store: name, steps: STEPS, concurrency },
        value,
        unit: '1/s',
        baseline: { name: 'plain inserts, one transaction each', value: inserts },
        ratio: Number((value / inserts).toFixed(3)),
      })
    }
  }
  return results
}

/** Workflows per second, from the first enqueue until the last end is on disk. `concurrency` are under way at once. */
async function workflows(
  store: Store,
  enqueue: Enqueue,
  { count, concurrency }: { count: number; concurrency: number },
): Promise<number> {
  const clock = new SystemClock()
  const ids = new SystemIds()
  const logger = silentLogger()
  const tasks = new TaskGroup({ clock, logger })
  const engine = new Engine(
    { store, clock, ids, tasks, logger, metrics: new Metrics() },
    { maxConcurrent: concurrency },
  )
  engine.register({
    name: 'bench',
    version: 1,
    run: async (context) => {
      for (let step = 0; step < STEPS; step += 1) {
        await context.step(`step-${step}`, { timeoutMs: 60_000, input: step }, async () => step)
      }
      return null
    },
  })
  const ends = new Map<string, () => void>()
  const onRecorded = (message: unknown): void => {
    const { workflowId, status } = message as { workflowId: string; status: string | undefined }
    if (status === 'completed') ends.get(workflowId)?.()
  }
  subscribe('mainstay.journal.recorded', onRecorded)
  await engine.start()
  const limit = pLimit(concurrency)
  const one = async (): Promise<void> => {
    const id = ids.ordered()
    const ended = Promise.withResolvers<void>()
    ends.set(id, ended.resolve)
    const workflow = { id, name: 'bench', version: 1, subject: id, input: null }
    engine.poke(await enqueue(store, workflow, clock.now()))
    await ended.promise
    ends.delete(id)
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: count }, async () => await limit(one)))
  const seconds = (performance.now() - startedAt) / 1000
  unsubscribe('mainstay.journal.recorded', onRecorded)
  await engine.stop()
  return count / seconds
}

async function plainInserts(store: Store, count: number, concurrency: number): Promise<number> {
  const ids = new SystemIds()
  const startedAt = performance.now()
  let next = 0
  const feed = async (): Promise<void> => {
    while (next < count) {
      next += 1
      const row = { id: ids.ordered(), workflow_id: 'plain', name: 'insert', data: '{"some":"data"}', at: 0 }
      await store.write(async (queries) => {
        await queries.insertInto('workflow_signals').values(row).execute()
      })
    }
  }
  await Promise.all(Array.from({ length: concurrency }, feed))
  return count / ((performance.now() - startedAt) / 1000)
}

await main(process.argv[2])
