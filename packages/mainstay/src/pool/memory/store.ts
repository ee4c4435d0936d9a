import { SystemIds, type Ids } from '../../core/ids.ts'
import { ChangeHub } from '../change-hub.ts'
import type { PoolStore } from '../store.ts'
import { openTablePool } from '../tables/open-table-pool.ts'
import type { PoolTables } from '../transitions/tables.ts'
import { MemoryTables } from './memory-tables.ts'

/** What the pool remembers; several stores on the same memory are as several processes on the same database. */
export class PoolMemory {
  readonly tables = new MemoryTables()
  readonly hub = new ChangeHub()
  #last: Promise<unknown> = Promise.resolve()

  /** One at a time, in the order in which they came. */
  async alone<T>(work: (tables: PoolTables) => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => await work(this.tables))
    this.#last = mine.catch(() => undefined)
    return await mine
  }
}

/** A pool in the memory of this process, for the simulation and for tests. */
export function openMemoryPool({
  memory = new PoolMemory(),
  ids = new SystemIds(),
}: { memory?: PoolMemory; ids?: Ids } = {}): PoolStore {
  return openTablePool({
    kind: 'memory',
    ids,
    hub: memory.hub,
    reads: memory.tables,
    transact: async (work) => await memory.alone(work),
    reindex: async (after, limit) => await memory.alone(async () => await memory.tables.reindex(after, limit)),
    verify: async () => await memory.tables.verify(),
    [Symbol.asyncDispose]: async () => {},
  })
}
