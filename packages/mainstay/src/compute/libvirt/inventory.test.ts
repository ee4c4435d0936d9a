import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SqliteStore } from '../../store/index.ts'
import { inventoryConformance } from './inventory-conformance.ts'

inventoryConformance('SQLite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mainstay-inventory-'))
  const store = SqliteStore.open({ path: join(directory, 'mainstay.db') })
  await store.migrate()
  return {
    store,
    dispose: async () => {
      await store.close()
      rmSync(directory, { recursive: true })
    },
  }
})
