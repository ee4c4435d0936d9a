import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SqliteStore } from '../../../store/index.ts'
import type { PoolStore } from '../../store.ts'
import type { PoolPlace } from '../../testing/lab.ts'
import { openSqlitePool } from '../store.ts'

/** A database in a directory of its own; every store on it is a connection of its own, as of another process. */
export async function sqlitePlace(): Promise<PoolPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-pool-'))
  const path = join(directory, 'mainstay.db')
  const open = async (): Promise<PoolStore> => {
    const store = SqliteStore.open({ path })
    await store.migrate()
    const pool = openSqlitePool({ store })
    return { ...pool, [Symbol.asyncDispose]: async () => await store.close() }
  }
  return { open, [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }) }
}
