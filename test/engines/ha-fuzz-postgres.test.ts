import { expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { startHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { KnownRecords } from '../support/ha-fuzz/known-records.ts'
import { fuzzHa, rarelyReached, settleAtOnce } from '../support/ha-fuzz/run.ts'
import { usePostgres } from './support/shared-postgres.ts'

/** `MAINSTAY_FUZZ_REQUESTS` says how many requests are sent, else 2,000. */
const REQUESTS = Number(process.env['MAINSTAY_FUZZ_REQUESTS'] ?? '2000')

const database = usePostgres()

test(`on PostgreSQL ${REQUESTS} requests of any kind are all answered, none with a 500, and every route is reached`, async (ctx) => {
  const clock = new SystemClock()
  await using cleanup = new AsyncDisposableStack()
  const store = PostgresStore.open({ url: await database(ctx), clock, logger: silentLogger() })
  cleanup.defer(async () => await store.close())
  await store.migrate()
  const records = new KnownRecords()
  await using ha = await startHa({
    clock,
    store,
    options: { maxLimit: 50 },
    deps: { startRecovery: settleAtOnce(records, clock) },
  })
  const result = await fuzzHa(ha.port, records, REQUESTS)
  expect(result.sent).toBeGreaterThanOrEqual(REQUESTS)
  expect(rarelyReached(result)).toEqual([])
}, 600_000)
