import { inventoryConformance } from '../../packages/mainstay/src/compute/libvirt/inventory-conformance.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { usePostgres } from './support/shared-postgres.ts'

const database = usePostgres()

inventoryConformance('PostgreSQL', async (context) => {
  const store = PostgresStore.open({ url: await database(context), clock: new SystemClock(), logger: silentLogger() })
  await store.migrate()
  return { store, dispose: async () => await store.close() }
})
