import { afterAll, beforeAll, expect, test } from 'vitest'

import { ManualClock } from '../../packages/mainstay/src/core/clock.ts'
import { startHa, type RunningHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import { KnownRecords } from '../support/ha-fuzz/known-records.ts'
import { fuzzHa, rarelyReached, settleAtOnce } from '../support/ha-fuzz/run.ts'

/**
 * Anything may arrive, in every second request something good about records that exist. Whatever it is, the answer is no
 * 500, memory stays bounded and no rejection is left behind.
 *
 * `MAINSTAY_FUZZ_REQUESTS` says how many requests are sent; 100,000 where everything is to be tested, else 5,000.
 */
const REQUESTS = Number(
  process.env['MAINSTAY_FUZZ_REQUESTS'] ?? (process.env['MAINSTAY_TEST_ALL'] === '1' ? '100000' : '5000'),
)
const MEMORY_ALLOWED_BYTES = 200 * 1024 * 1024

const records = new KnownRecords()
let ha: RunningHa
const rejections: unknown[] = []
const remember = (reason: unknown): void => void rejections.push(reason)

beforeAll(async () => {
  process.on('unhandledRejection', remember)
  const clock = new ManualClock()
  ha = await startHa({ clock, options: { maxLimit: 50 }, deps: { startRecovery: settleAtOnce(records, clock) } })
})

afterAll(async () => {
  process.off('unhandledRejection', remember)
  await ha[Symbol.asyncDispose]()
})

test(`${REQUESTS} requests of any kind are all answered, none with a 500, and every route is reached`, async () => {
  const before = process.memoryUsage().heapUsed
  const result = await fuzzHa(ha.port, records, REQUESTS)
  expect(result.sent).toBeGreaterThanOrEqual(REQUESTS)
  expect(rarelyReached(result)).toEqual([])
  expect(rejections).toEqual([])
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(MEMORY_ALLOWED_BYTES)
  expect((await ha.send('GET', '/v1/segments')).status).toBe(200)
}, 600_000)
