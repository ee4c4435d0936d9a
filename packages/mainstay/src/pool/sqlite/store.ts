import { isRetryable } from '../../core/errors.ts'
import { SystemIds, type Ids } from '../../core/ids.ts'
import { Batcher } from '../../journal/batcher.ts'
import type { Store } from '../../store/index.ts'
import { ChangeHub } from '../change-hub.ts'
import type { PoolStore } from '../store.ts'
import { openTablePool } from '../tables/open-table-pool.ts'
import type { PoolTables } from '../transitions/tables.ts'
import { KnownConfiguration, SqliteReads } from './sqlite-reads.ts'
import { SqliteTables } from './sqlite-tables.ts'
import { verifyRows } from './verify.ts'

export interface SqlitePoolOptions {
  /** The main database, migrated. Closed by whoever opened it. */
  readonly store: Store
  readonly ids?: Ids
}

/** The pool in the main SQLite database: durable, one writer with group commit, events beside the changes. */
export function openSqlitePool({ store, ids = new SystemIds() }: SqlitePoolOptions): PoolStore {
  const known = new KnownConfiguration()
  const reads = new SqliteReads(store.read, new KnownConfiguration())
  const turns = new SharedWrites(store, known, ids)
  return openTablePool({
    kind: 'sqlite',
    ids,
    // Those of this process; another one on the same file tells its own.
    hub: new ChangeHub(),
    reads,
    transact: async (work) => await turns.run(work),
    reindex: async (after, limit) =>
      await turns.run(async (tables) => {
        const vms = await tables.after(after ?? '', limit)
        for (const vm of vms) await tables.save(vm, vm)
        return vms.at(-1)?.name ?? null
      }),
    verify: async () => await verifyRows(reads),
    [Symbol.asyncDispose]: async () => {},
  })
}

interface Work {
  readonly run: (tables: SqliteTables) => Promise<unknown>
  result: unknown
}

/** The most transitions that share a write: those behind it wait for its end. */
const MOST_SHARED = 64

/**
 * Runs transitions that are asked for at the same time one after the other in one write. A transition refuses before it
 * changes anything, so one that fails takes nothing back from the others; should one fail after it wrote, none of the
 * write is kept and each is run again in a write of its own.
 */
class SharedWrites {
  readonly #store: Store
  readonly #known: KnownConfiguration
  readonly #ids: Ids
  readonly #batches: Batcher<Work>

  constructor(store: Store, known: KnownConfiguration, ids: Ids) {
    this.#store = store
    this.#known = known
    this.#ids = ids
    this.#batches = new Batcher(async (batch) => await this.#runAll(batch), MOST_SHARED)
  }

  async run<T>(work: (tables: SqliteTables & PoolTables) => Promise<T>): Promise<T> {
    const item: Work = { run: work, result: undefined }
    await this.#batches.add(item)
    return item.result as T
  }

  async #runAll(batch: readonly Work[]): Promise<(Error | undefined)[]> {
    try {
      return await this.#write(batch)
    } catch (error) {
      if (batch.length === 1 || isRetryable(error)) throw error
      const outcomes: (Error | undefined)[] = []
      for (const work of batch) outcomes.push(await this.#write([work]).then(([only]) => only, asError))
      return outcomes
    }
  }

  async #write(batch: readonly Work[]): Promise<(Error | undefined)[]> {
    return await this.#store.write(async (queries) => {
      const tables = new SqliteTables(queries, this.#known, this.#ids)
      const outcomes: (Error | undefined)[] = []
      for (const work of batch) {
        const before = tables.writes
        try {
          work.result = await work.run(tables)
          outcomes.push(undefined)
        } catch (error) {
          if (tables.writes !== before) throw error
          outcomes.push(asError(error))
        }
      }
      await tables.flush()
      return outcomes
    })
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
