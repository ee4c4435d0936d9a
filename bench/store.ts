import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SystemClock } from '../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../packages/mainstay/src/core/logging.ts'
import { PostgresStore, SqliteStore, type Store } from '../packages/mainstay/src/store/index.ts'
import { startPrivatePostgres } from '../test/engines/support/private-postgres.ts'
import type { BenchOptions, BenchResult } from './run.ts'

const WRITERS = [1, 10, 100] as const
const WARM_UP_MS = 300
const MEASURE_MS = 2000

/** Durable single-insert writes per second, with and without sharing commits. See `store.md`. */
export async function run({ log }: BenchOptions): Promise<BenchResult[]> {
  const results: BenchResult[] = []
  await using postgres = await startPrivatePostgres()
  const server = PostgresStore.open({ url: postgres.url, clock: new SystemClock(), logger: silentLogger() })
  await server.migrate()
  for (const writers of WRITERS) {
    const alone = await onSqlite(1, (store) => writesPerSecond(store, writers))
    const value = await onSqlite(512, (store) => writesPerSecond(store, writers))
    const ratio = Number((value / alone).toFixed(2))
    log(`sqlite, ${writers} writers: ${value} writes/s, ${alone} with one commit each`)
    results.push({
      metric: 'writes_per_s',
      params: { store: 'sqlite', writers },
      value,
      unit: '1/s',
      baseline: { name: 'one commit each', value: alone },
      ratio,
    })
    const remote = await writesPerSecond(server, writers)
    log(`postgres, ${writers} writers: ${remote} writes/s`)
    results.push({ metric: 'writes_per_s', params: { store: 'postgres', writers }, value: remote, unit: '1/s' })
  }
  await server.close()
  return results
}

async function onSqlite<T>(maxBatch: number, use: (store: Store) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-bench-'))
  const store = SqliteStore.open({ path: join(directory, 'store.db'), maxBatch })
  try {
    await store.migrate()
    return await use(store)
  } finally {
    await store.close()
    await rm(directory, { recursive: true })
  }
}

async function writesPerSecond(store: Store, writers: number): Promise<number> {
  await writeFor(store, writers, WARM_UP_MS)
  const startedAt = performance.now()
  const count = await writeFor(store, writers, MEASURE_MS)
  return Math.round(count / ((performance.now() - startedAt) / 1000))
}

/** Writers that each insert one row, wait until it is on disk, and insert the next. @returns how many rows */
async function writeFor(store: Store, writers: number, durationMs: number): Promise<number> {
  const ids = new SystemIds()
  const until = performance.now() + durationMs
  let count = 0
  const writer = async (): Promise<void> => {
    while (performance.now() < until) {
      const row = { id: ids.ordered(), lease_until: 0, started_at: 0 }
      await store.write((queries) => queries.insertInto('engines').values(row).execute())
      count += 1
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
  return count
}
