import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

import { sql } from 'kysely'
import { expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { openStore } from '../../packages/mainstay/src/server/build-store.ts'
import { loadConfig } from '../../packages/mainstay/src/server/index.ts'
import {
  DEFAULT_CONNECT_TIMEOUT_MS,
  PostgresStore,
  StoreUnavailableError,
  StoreWorkStuckError,
  type Store,
} from '../../packages/mainstay/src/store/index.ts'
import { usePostgres } from './support/shared-postgres.ts'

const clock = new SystemClock()
const logger = silentLogger()
const database = usePostgres()

/** What a process that migrates holds until it is done. */
const MIGRATION_LOCK = '7881696745979404665'

async function open(url: string, ...options: readonly string[]): Promise<Store> {
  const config = await loadConfig({ set: [`store.url=${url}`, ...options.map((option) => `store.${option}`)] })
  return openStore(config, { clock, logger }).store
}

test('a PostgreSQL that accepts and says nothing is given up after store.connect_timeout_ms', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const store = await open(`postgres://nobody@127.0.0.1:${port}/none`, 'connect_timeout_ms=100')
  try {
    const unavailable = store.version().catch((error: unknown) => error)
    // Whatever a busy machine does to both: what is due much earlier comes first.
    const later = clock.sleep(DEFAULT_CONNECT_TIMEOUT_MS - 500)
    expect(await Promise.race([unavailable, later])).toBeInstanceOf(StoreUnavailableError)
  } finally {
    await store.close()
    silent.close()
  }
})

test('PostgreSQL is told of store.statement_timeout_ms', async (ctx) => {
  const store = await open(await database(ctx), 'statement_timeout_ms=12345')
  const { rows } = await sql<{ ms: string }>`select current_setting('statement_timeout') as ms`.execute(store.read)
  expect(rows).toEqual([{ ms: '12345ms' }])
  await store.close()
})

test('a migration that waits for another for longer than store.migration_timeout_ms is given up', async (ctx) => {
  const url = await database(ctx)
  const other = PostgresStore.open({ url, clock, logger })
  const store = await open(url, 'migration_timeout_ms=100', 'statement_timeout_ms=3000')
  await other.write(async (queries) => {
    await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(queries)
    const waiting = store.migrate().catch((error: unknown) => error)
    expect(await waiting).toBeInstanceOf(StoreWorkStuckError)
  })
  await expect(other.migrate()).resolves.not.toEqual([])
  await store.close()
  await other.close()
})
