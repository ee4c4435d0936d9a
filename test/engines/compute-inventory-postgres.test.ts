import { afterAll } from 'vitest'

import { inventoryConformance } from '../../packages/mainstay/src/compute/libvirt/inventory-conformance.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { PrivatePostgres, needPostgres } from './support/private-postgres.ts'

let shared: Promise<PrivatePostgres> | undefined

afterAll(async () => {
  await (await shared)?.[Symbol.asyncDispose]()
})

inventoryConformance('PostgreSQL', async (context) => {
  const bin = needPostgres(context)
  shared ??= PrivatePostgres.start(bin)
  const url = await (await shared).createDatabase()
  const store = PostgresStore.open({ url, clock: new SystemClock(), logger: silentLogger() })
  await store.migrate()
  return { store, dispose: async () => await store.close() }
})
