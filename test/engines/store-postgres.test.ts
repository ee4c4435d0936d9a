import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { storeConformance } from '../../packages/mainstay/src/store/conformance.ts'
import {
  PostgresStore,
  type PostgresStoreOptions,
  StoreSchemaError,
  StoreUnavailableError,
  type Store,
} from '../../packages/mainstay/src/store/index.ts'
import { needPostgres, PrivatePostgres } from './support/private-postgres.ts'
import { usePostgres } from './support/shared-postgres.ts'

/** On one server, for the tests that leave it running. */
const database = usePostgres()

function open(url: string, options: Partial<PostgresStoreOptions> = {}): PostgresStore {
  return PostgresStore.open({ url, clock: new SystemClock(), logger: silentLogger(), ...options })
}

storeConformance('PostgreSQL', async (ctx) => {
  const url = await database(ctx)
  return {
    open: async (options) => open(url, options),
    [Symbol.asyncDispose]: async () => {},
  }
})

async function add(store: Store, id: string): Promise<void> {
  await store.write((queries) => queries.insertInto('engines').values({ id, lease_until: 0, started_at: 0 }).execute())
}

async function ids(store: Store): Promise<string[]> {
  return (await store.read.selectFrom('engines').select('id').orderBy('id').execute()).map(({ id }) => id)
}

/** Closed at the end of the test, however it ends. */
function kept(store: Store): AsyncDisposable & { readonly store: Store } {
  return { store, [Symbol.asyncDispose]: async () => await store.close() }
}

function changed(url: URL, parts: { readonly pathname?: string; readonly username?: string }): string {
  return Object.assign(new URL(url), parts).href
}

describe('PostgreSQL that goes away', () => {
  test('is reported to readers and writers, and used again once it is back, with all that was acknowledged', async (ctx) => {
    needPostgres(ctx)
    await using postgres = await PrivatePostgres.start({ durable: true })
    const store = open(await postgres.createDatabase())
    await store.migrate()
    await Promise.all(Array.from({ length: 20 }, (_, index) => add(store, `before-${index}`)))

    await postgres.crash()
    for (const failing of [add(store, 'while down'), ids(store), store.version(), store.migrate()]) {
      await expect(failing).rejects.toThrow(StoreUnavailableError)
      await expect(failing).rejects.toThrow(/does not answer .* Check that it runs/)
    }

    await postgres.restart()
    await add(store, 'after')
    const kept = await ids(store)
    expect(kept).toHaveLength(21)
    expect(kept).toContain('after')
    await store.close()
  })

  test('in the middle of a write ends that write only, not the process', async (ctx) => {
    needPostgres(ctx)
    await using postgres = await PrivatePostgres.start({ durable: true })
    const store = open(await postgres.createDatabase())
    await store.migrate()
    const entered = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    const writing = store.write(async (queries) => {
      await queries.insertInto('engines').values({ id: 'half', lease_until: 0, started_at: 0 }).execute()
      entered.resolve()
      await go.promise
      await queries.insertInto('engines').values({ id: 'other half', lease_until: 0, started_at: 0 }).execute()
    })
    await entered.promise
    await postgres.crash()
    go.resolve()
    await expect(writing).rejects.toThrow(StoreUnavailableError)

    await postgres.restart()
    await add(store, 'whole')
    await expect(ids(store)).resolves.toEqual(['whole'])
    await store.close()
  })

  test('for one connection alone is noticed, and the next write takes another', async (ctx) => {
    const url = await database(ctx)
    const [store, other] = [open(url), open(url)]
    await store.migrate()
    const writing = store.write(async (queries) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(queries)
      await sql`select pg_terminate_backend(${rows[0]!.pid}::int, 5000)`.execute(other.read)
      await queries.insertInto('engines').values({ id: 'cut', lease_until: 0, started_at: 0 }).execute()
    })
    await expect(writing).rejects.toThrow(StoreUnavailableError)
    await add(store, 'next')
    await expect(ids(store)).resolves.toEqual(['next'])
    await other.close()
    await store.close()
  })
})

describe('PostgreSQL that falls silent on one connection', () => {
  /** Asks something while the server's side of the connection is paused. */
  type Ask = (store: Store, pause: () => void) => Promise<unknown>

  const outside: Ask = async (store, pause) => {
    pause()
    return await ids(store)
  }

  const inside: Ask = async (store, pause) =>
    await store.write(async (queries) => {
      const engine = { id: 'half', lease_until: 0, started_at: 0 }
      await queries.insertInto('engines').values(engine).execute()
      pause()
      await queries
        .insertInto('engines')
        .values({ ...engine, id: 'other half' })
        .execute()
    })

  test.for([
    ['outside of a transaction', outside],
    ['in a transaction', inside],
  ] as const)('costs who asks %s one statement: the next has another connection', async ([, ask], ctx) => {
    const url = await database(ctx)
    await using migrating = kept(open(url))
    await migrating.store.migrate()
    const store = open(url, { maxConnections: 1, statementTimeoutMs: 1000 })
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(store.read)
    const { pid } = rows[0]!
    try {
      const asking = ask(store, () => process.kill(pid, 'SIGSTOP'))
      await expect(asking).rejects.toThrow(StoreUnavailableError)
      await add(store, 'next')
      await expect(ids(store)).resolves.toEqual(['next'])
    } finally {
      process.kill(pid, 'SIGCONT')
      await store.close()
    }
  })
})

describe('PostgreSQL under contention', () => {
  test('two writes that lock each other out are both done in the end', async (ctx) => {
    const store = open(await database(ctx))
    await store.migrate()
    await Promise.all([add(store, 'a'), add(store, 'b')])
    const both = Promise.withResolvers<void>()
    let inside = 0
    let attempts = 0
    const lock = (first: string, second: string): Promise<void> =>
      store.write(async (queries) => {
        attempts += 1
        for (const id of [first, second]) {
          await queries
            .updateTable('engines')
            .set({ lease_until: sql`lease_until + 1` })
            .where('id', '=', id)
            .execute()
          inside += 1
          if (inside >= 2) both.resolve()
          await both.promise
        }
      })
    await Promise.all([lock('a', 'b'), lock('b', 'a')])
    expect(attempts).toBe(3)
    await expect(store.read.selectFrom('engines').select('lease_until').execute()).resolves.toEqual([
      { lease_until: 2 },
      { lease_until: 2 },
    ])
    await store.close()
  })
})

describe('PostgreSQL that refuses', () => {
  test('changes is said to be read only', async (ctx) => {
    const url = await database(ctx)
    await using preparing = kept(open(url))
    await preparing.store.migrate()
    const name = sql.id(new URL(url).pathname.slice(1))
    await sql`alter database ${name} set default_transaction_read_only = on`.execute(preparing.store.read)
    await using reading = kept(open(url))
    const failing = add(reading.store, 'x')
    await expect(failing).rejects.toThrow(StoreUnavailableError)
    await expect(failing).rejects.toThrow(/takes no changes now .*address of the primary/)
    await expect(ids(reading.store)).resolves.toEqual([])
  })

  test('a database, a user or a table that is not there is named with the remedy', async (ctx) => {
    const url = new URL(await database(ctx))
    await using whole = kept(open(url.href))
    await expect(ids(whole.store)).rejects.toThrow(StoreSchemaError)
    await expect(ids(whole.store)).rejects.toThrow(/lacks what .*"engines".*mainstay migrate/)
    await sql`create role stranger login`.execute(whole.store.read)
    await whole.store.migrate()

    await using elsewhere = kept(open(changed(url, { pathname: '/gone' })))
    await expect(ids(elsewhere.store)).rejects.toThrow(/has no such database .*Check its name/)
    await using unknown = kept(open(changed(url, { username: 'nobody' })))
    await expect(ids(unknown.store)).rejects.toThrow(/does not let us in .*Check the user/)
    await using stranger = kept(open(changed(url, { username: 'stranger' })))
    await expect(ids(stranger.store)).rejects.toThrow(/forbids this to our user .*Grant/)
  })
})

test('an address where nothing listens is named without its password', async () => {
  const store = open('postgres://mainstay:hunter2@127.0.0.1:1/mainstay', { connectTimeoutMs: 2000 })
  const reading = ids(store)
  await expect(reading).rejects.toThrow(/PostgreSQL at postgres:\/\/mainstay:\*\*\*@127\.0\.0\.1:1\/mainstay does not/)
  await expect(reading).rejects.not.toThrow(/hunter2/)
  await store.close()
})
