import { afterAll, vi, type TestContext } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { webhookConformance } from '../../packages/mainstay/src/events/webhooks/conformance.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { PrivatePostgres, needPostgres } from './support/private-postgres.ts'

vi.setConfig({ testTimeout: 60_000 })

let shared: Promise<PrivatePostgres> | undefined

async function sharedPostgres(ctx: TestContext): Promise<PrivatePostgres> {
  const bin = needPostgres(ctx)
  shared ??= PrivatePostgres.start(bin)
  return await shared
}

afterAll(async () => {
  await (await shared)?.[Symbol.asyncDispose]()
})

webhookConformance('webhooks on PostgreSQL', async (ctx) => {
  const url = await (await sharedPostgres(ctx)).createDatabase()
  const store = PostgresStore.open({ url, clock: new SystemClock(), logger: silentLogger() })
  await store.migrate()
  return { store, [Symbol.asyncDispose]: async () => await store.close() }
})
