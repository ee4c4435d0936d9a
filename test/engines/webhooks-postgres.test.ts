import { vi } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { webhookConformance } from '../../packages/mainstay/src/events/webhooks/conformance.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { usePostgres } from './support/shared-postgres.ts'

vi.setConfig({ testTimeout: 60_000 })

const database = usePostgres()

webhookConformance('webhooks on PostgreSQL', async (ctx) => {
  const url = await database(ctx)
  const store = PostgresStore.open({ url, clock: new SystemClock(), logger: silentLogger() })
  await store.migrate()
  return { store, [Symbol.asyncDispose]: async () => await store.close() }
})
