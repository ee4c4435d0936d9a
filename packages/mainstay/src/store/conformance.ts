import { sql } from 'kysely'
import { describe, expect, test, type TestContext } from 'vitest'

import { currentContext, requestContext, runInContext } from '../core/context.ts'
import { ShutdownError } from '../core/errors.ts'
import {
  StoreConflictError,
  StoreNestedWriteError,
  StoreSchemaError,
  StoreWorkStuckError,
  StoreWriteBrokenError,
} from './errors.ts'
import { allMigrations } from './migrate.ts'
import type { Queries, Store } from './store.ts'

/** A fresh, empty database for one test. */
export interface StorePlace extends AsyncDisposable {
  /** Opens the database once more, as another process would. Closed by the test. */
  open(options?: { workTimeoutMs?: number }): Promise<Store>
}

/** Makes a database; may skip the test when this machine lacks what it takes. */
export type StoreFactory = (ctx: TestContext) => Promise<StorePlace>

const ALL = allMigrations()
const NEWEST = ALL.at(-1)

/** A row with columns of every kind. */
const WORKFLOW = {
  id: 'w',
  name: 'n',
  version: 1,
  subject: '',
  input: '{}',
  status: 'pending',
  fence: 0,
  wake_at: 5,
  created_at: 0,
  updated_at: 0,
}

/** What every store does. Each driver runs it. */
export function storeConformance(name: string, factory: StoreFactory): void {
  /** The body of a test on a migrated database with one open store. */
  function on(
    run: (store: Store, place: StorePlace) => Promise<void>,
    { workTimeoutMs = 20_000 } = {},
  ): (ctx: TestContext) => Promise<void> {
    return async (ctx) => {
      await using place = await factory(ctx)
      const store = await place.open({ workTimeoutMs })
      try {
        await store.migrate()
        await run(store, place)
      } finally {
        await store.close()
      }
    }
  }

  describe(`${name}: a write`, () => {
    test(
      'is kept and its result returned',
      on(async (store) => {
        await expect(store.write(async (queries) => (await add(queries, 'a'), 'result'))).resolves.toBe('result')
        await expect(ids(store.read)).resolves.toEqual(['a'])
      }),
    )

    test(
      'that throws leaves nothing behind, and its error comes out as it is',
      on(async (store) => {
        const error = new Error('changed my mind')
        const writing = store.write(async (queries) => {
          await add(queries, 'a')
          await add(queries, 'b')
          throw error
        })
        await expect(writing).rejects.toBe(error)
        await expect(ids(store.read)).resolves.toEqual([])
      }),
    )

    test(
      'that throws before its first await is a failed write like any other',
      on(async (store) => {
        const writing = store.write(() => {
          throw new Error('at once')
        })
        await expect(writing).rejects.toThrow('at once')
      }),
    )

    test(
      'sees its own changes, which nobody else sees before they are committed',
      on(async (store, place) => {
        const other = await place.open()
        try {
          await store.write(async (queries) => {
            await add(queries, 'a')
            expect([await ids(queries), await ids(store.read), await ids(other.read)]).toEqual([['a'], [], []])
          })
          await expect(Promise.all([ids(store.read), ids(other.read)])).resolves.toEqual([['a'], ['a']])
        } finally {
          await other.close()
        }
      }),
    )

    test(
      'that fails among many at the same time fails alone',
      on(async (store) => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 40 }, (_, index) =>
            store.write(async (queries) => {
              await add(queries, String(index))
              if (index % 4 === 3) throw new Error(`no ${index}`)
            }),
          ),
        )
        expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(10)
        const kept = (await ids(store.read)).map(Number).sort((a, b) => a - b)
        expect(kept).toEqual(Array.from({ length: 40 }, (_, index) => index).filter((index) => index % 4 !== 3))
      }),
    )

    test(
      'loses nothing to another that changes the same row at the same time, from two sides',
      on(async (store, place) => {
        const other = await place.open()
        try {
          await store.write((queries) => add(queries, 'counter'))
          const increments = Array.from({ length: 60 }, (_, index) =>
            (index % 2 === 0 ? store : other).write((queries) =>
              queries
                .updateTable('engines')
                .set({ lease_until: sql`lease_until + 1` })
                .execute(),
            ),
          )
          await Promise.all(increments)
          await expect(store.read.selectFrom('engines').select('lease_until').execute()).resolves.toEqual([
            { lease_until: 60 },
          ])
        } finally {
          await other.close()
        }
      }),
    )

    test(
      'keeps the context of whoever asked for it',
      on(async (store) => {
        const ask = (requestId: string): Promise<string | undefined> =>
          runInContext(requestContext({ requestId, timestampMs: 0 }), () =>
            store.write(async (queries) => {
              await add(queries, requestId)
              return currentContext()?.requestId
            }),
          )
        await expect(Promise.all(['r1', 'r2', 'r3'].map(ask))).resolves.toEqual(['r1', 'r2', 'r3'])
      }),
    )

    test(
      'tells how many rows it changed, and returns them when asked',
      on(async (store) => {
        await store.write((queries) => Promise.all(['a', 'b'].map((id) => add(queries, id))))
        const { changed, returned } = await store.write(async (queries) => ({
          changed: await queries.updateTable('engines').set({ started_at: 5 }).executeTakeFirstOrThrow(),
          returned: await queries.deleteFrom('engines').where('id', '=', 'a').returning(['id', 'started_at']).execute(),
        }))
        expect(changed.numUpdatedRows).toBe(2n)
        expect(returned).toEqual([{ id: 'a', started_at: 5 }])
      }),
    )

    test(
      'gives back times, texts and nulls as they were',
      on(async (store) => {
        const row = {
          id: 'w',
          name: 'über 🚀 \'quoted\' "twice" \\ %',
          version: 1,
          subject: '',
          input: '{"a":[1,null]}',
          status: 'pending',
          owner: null,
          fence: 2 ** 31 - 1,
          wake_at: 253_402_300_799_999,
          cancel_reason: null,
          reason: null,
          result: null,
          context: null,
          created_at: 1_763_728_496_789,
          updated_at: 0,
          finished_at: null,
        }
        await store.write((queries) => queries.insertInto('workflows').values(row).execute())
        const read = await store.read.selectFrom('workflows').selectAll().executeTakeFirstOrThrow()
        expect(read).toEqual(row)
        expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
      }),
    )
  })

  describe(`${name}: a list`, () => {
    const columns = [
      ['id', 'text'],
      ['version', 'integer'],
      ['owner', 'text?'],
      ['wake_at', 'integer?'],
    ] as const
    const rest = 'from workflows order by version desc limit 3'
    const cases: [what: string, rows: [owner: string | null, wakeAt: number | null][]][] = [
      ['nothing', []],
      [
        'null, an empty text, and zero',
        [
          [null, null],
          ['', 0],
        ],
      ],
      [
        'text with the separators of a packed page',
        [
          ['\u001f', 1],
          ['=\u001e\u001f2\u001f=\u001f', 2],
        ],
      ],
      [
        'text that looks like a row',
        [
          ['a\u001f0\u001ew1\u001f1\u001f=b', 1],
          ['\u001e', null],
        ],
      ],
      [
        'text of every kind',
        [
          ['=“ü”\n\t\\"', -1],
          ['😀', 2 ** 52],
        ],
      ],
      [
        'the first rows only',
        [
          ['d', 4],
          ['c', 3],
          ['b', 2],
          ['a', 1],
        ],
      ],
    ]

    for (const [what, owners] of cases) {
      test(
        `gives values in the order of the columns, and rows in the order asked for: ${what}`,
        on(async (store) => {
          const rows = owners.map(([owner, wake_at], version) => ({
            ...WORKFLOW,
            id: `w${version}`,
            owner,
            version,
            wake_at,
          }))
          if (rows.length > 0) await store.write((queries) => queries.insertInto('workflows').values(rows).execute())
          const listed = rows.toReversed().map(({ id, version, owner, wake_at }) => [id, version, owner, wake_at])
          await expect(store.readList({ columns, rest, parameters: [] })).resolves.toEqual(listed.slice(0, 3))
        }),
      )
    }

    test(
      'takes parameters',
      on(async (store) => {
        await store.write((queries) => queries.insertInto('workflows').values(WORKFLOW).execute())
        const one = store.kind === 'postgres' ? '$1' : '?'
        const query = { columns, rest: `from workflows where id = ${one}` }
        await expect(store.readList({ ...query, parameters: ['w'] })).resolves.toEqual([['w', 1, null, 5]])
        await expect(store.readList({ ...query, parameters: ['v'] })).resolves.toEqual([])
      }),
    )
  })

  describe(`${name}: a single statement`, () => {
    const insert = "insert into engines (id, lease_until, started_at) values ('a', 1, 2) returning id, lease_until"

    test(
      'is kept, and its rows returned',
      on(async (store) => {
        await expect(store.writeStatement(insert, [])).resolves.toEqual([{ id: 'a', lease_until: 1 }])
        await expect(store.writeStatement('update engines set started_at = 3', [])).resolves.toEqual([])
        await expect(ids(store.read)).resolves.toEqual(['a'])
      }),
    )

    test(
      'fails as a write does',
      on(async (store) => {
        await store.writeStatement(insert, [])
        await expect(store.writeStatement(insert, [])).rejects.toThrow(StoreConflictError)
        await store.write(async () => {
          await expect(store.writeStatement('delete from engines', [])).rejects.toThrow(StoreNestedWriteError)
        })
        await expect(ids(store.read)).resolves.toEqual(['a'])
        await store.close()
        await expect(store.writeStatement('delete from engines', [])).rejects.toThrow(ShutdownError)
      }),
    )
  })

  describe(`${name}: a broken rule`, () => {
    test(
      'of uniqueness is a conflict, with its cause',
      on(async (store) => {
        await store.write((queries) => add(queries, 'a'))
        const writing = store.write((queries) => add(queries, 'a'))
        await expect(writing).rejects.toThrow(StoreConflictError)
        await expect(writing).rejects.toMatchObject({ code: 'MS_STORE_CONFLICT', retryable: false, status: 409 })
        await expect(writing).rejects.toHaveProperty('cause.message')
      }),
    )

    test.for<{ repeat: (first: { id: number; uuid: string; name: string }) => object; columns: string[] }>([
      { repeat: ({ uuid }) => ({ uuid }), columns: ['uuid'] },
      { repeat: ({ name: same }) => ({ name: same }), columns: ['name', 'deleted'] },
      { repeat: ({ id }) => ({ id }), columns: ['id'] },
    ])('of uniqueness says what is the same: $columns', async ({ repeat, columns }, ctx) => {
      await on(async (store) => {
        const segment = {
          uuid: 'u-1',
          name: 'one',
          service_type: 's',
          enabled: 1,
          recovery_method: 'auto',
          created_at: 0,
        }
        const first = await store.write((queries) =>
          queries.insertInto('failover_segments').values(segment).returningAll().executeTakeFirstOrThrow(),
        )
        const another = { ...segment, uuid: 'u-2', name: 'two', ...repeat(first) }
        const writing = store.write((queries) => queries.insertInto('failover_segments').values(another).execute())
        await expect(writing).rejects.toMatchObject({
          code: 'MS_STORE_CONFLICT',
          message: expect.stringContaining(`failover_segments has the same ${columns.join(', ')} (`) as string,
          taken: { table: 'failover_segments', columns },
        })
      })(ctx)
    })

    test(
      'can be avoided in the statement, and the write goes on',
      on(async (store) => {
        await store.write((queries) => add(queries, 'a'))
        await store.write(async (queries) => {
          await queries
            .insertInto('engines')
            .values({ id: 'a', lease_until: 9, started_at: 9 })
            .onConflict((conflict) => conflict.column('id').doNothing())
            .execute()
          await add(queries, 'b')
        })
        await expect(ids(store.read)).resolves.toEqual(['a', 'b'])
      }),
    )

    test(
      'ends the write, also when its error is caught: nothing of it is kept',
      on(async (store) => {
        await store.write((queries) => add(queries, 'a'))
        const goOn = store.write(async (queries) => {
          await add(queries, 'b')
          await add(queries, 'a').catch(() => 'ignored')
          await add(queries, 'c')
        })
        await expect(goOn).rejects.toThrow(StoreWriteBrokenError)
        const end = store.write(async (queries) => {
          await add(queries, 'd')
          await add(queries, 'a').catch(() => 'ignored')
        })
        await expect(end).rejects.toThrow(StoreWriteBrokenError)
        await expect(ids(store.read)).resolves.toEqual(['a'])
      }),
    )

    test(
      'of the schema comes out as an error, not as a conflict',
      on(async (store) => {
        const writing = store.write((queries) => sql`insert into no_such_table values (1)`.execute(queries))
        await expect(writing).rejects.toThrow(/no_such_table/)
        await expect(writing).rejects.not.toBeInstanceOf(StoreConflictError)
      }),
    )
  })

  describe(`${name}: the handle of a write`, () => {
    test(
      'is dead once the write has ended, whichever way',
      on(async (store) => {
        const leaked: Queries[] = []
        await store.write(async (queries) => void leaked.push(queries))
        await store
          .write((queries) => {
            leaked.push(queries)
            throw new Error('failed')
          })
          .catch(() => 'expected')
        for (const queries of leaked) {
          await expect(add(queries, 'late')).rejects.toThrow(/ended|already/)
          await expect(sql`delete from engines`.execute(queries)).rejects.toThrow(/ended|already/)
        }
        await expect(ids(store.read)).resolves.toEqual([])
      }),
    )

    test(
      'is dead once the work was given up, and those behind it go on',
      on(
        async (store) => {
          const go = Promise.withResolvers<void>()
          const late = Promise.withResolvers<unknown>()
          const stuck = store.write(async (queries) => {
            await add(queries, 'stuck')
            await go.promise
            late.resolve(await add(queries, 'late').catch((error: unknown) => error))
          })
          const behind = store.write((queries) => add(queries, 'behind'))
          await expect(stuck).rejects.toThrow(StoreWorkStuckError)
          await expect(stuck).rejects.toThrow(/did not finish within 1500 ms and was rolled back/)
          await behind
          go.resolve()
          await expect(late.promise).resolves.toBeInstanceOf(Error)
          await expect(ids(store.read)).resolves.toEqual(['behind'])
        },
        { workTimeoutMs: 1500 },
      ),
    )

    test(
      'serves the inner part too: a write inside a write is refused at once',
      on(async (store) => {
        await store.write(async (queries) => {
          await add(queries, 'outer')
          await expect(store.write((inner) => add(inner, 'inner'))).rejects.toThrow(StoreNestedWriteError)
        })
        await store.write((queries) => add(queries, 'after'))
        await expect(ids(store.read)).resolves.toEqual(['after', 'outer'])
      }),
    )
  })

  describe(`${name}: migrating`, () => {
    test('an empty database runs everything once, from however many sides', async (ctx) => {
      await using place = await factory(ctx)
      const stores = await Promise.all(Array.from({ length: 4 }, () => place.open()))
      try {
        await expect(stores[0]!.version()).resolves.toBeUndefined()
        await expect(stores[0]!.pendingMigrations()).resolves.toEqual(ALL)
        const ran = await Promise.all(stores.map((store) => store.migrate()))
        expect(ran.flat()).toEqual(ALL)
        await expect(stores[1]!.version()).resolves.toBe(NEWEST)
        await expect(stores[2]!.migrate()).resolves.toEqual([])
        await expect(stores[2]!.pendingMigrations()).resolves.toEqual([])
        await stores[3]!.write((queries) => add(queries, 'a'))
        await expect(ids(stores[0]!.read)).resolves.toEqual(['a'])
      } finally {
        await Promise.all(stores.map((store) => store.close()))
      }
    })

    test(
      'refuses a database that is newer than the program',
      on(async (store) => {
        await store.write((queries) =>
          sql`insert into kysely_migration (name, timestamp) values ('9999-future', '2099-01-01')`.execute(queries),
        )
        await expect(store.migrate()).rejects.toThrow(StoreSchemaError)
        await expect(store.migrate()).rejects.toThrow(/newer than this program: it has the migration 9999-future/)
      }),
    )
  })

  test(`${name}: a closed store finishes what it has and takes no more`, async (ctx) => {
    await using place = await factory(ctx)
    const store = await place.open()
    await store.migrate()
    const last = store.write((queries) => add(queries, 'last'))
    await Promise.all([last, store.close()])
    await expect(store.write((queries) => add(queries, 'late'))).rejects.toThrow(ShutdownError)
    const again = await place.open()
    await expect(ids(again.read)).resolves.toEqual(['last'])
    await again.close()
  })
}

async function add(queries: Queries, id: string): Promise<void> {
  await queries.insertInto('engines').values({ id, lease_until: 0, started_at: 0 }).execute()
}

async function ids(queries: Queries): Promise<string[]> {
  return (await queries.selectFrom('engines').select('id').orderBy('id').execute()).map(({ id }) => id)
}
