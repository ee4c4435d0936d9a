import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { StoreFullError, StoreUnavailableError } from '../errors.ts'
import type { Queries } from '../store.ts'
import { SqliteConnection } from './connection.ts'
import type { SqliteSession } from './dialect.ts'
import { GroupCommit, type GroupCommitOptions } from './group-commit.ts'

/** A session on a real database that notes what it is told and fails where a test says so. */
class FaultySession implements SqliteSession {
  readonly executed: string[] = []
  readonly #connection: SqliteConnection
  #faults: { sql: string; error: Error; times: number }[] = []

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  get inTransaction(): boolean {
    return this.#connection.inTransaction
  }

  exec(sql: string): void {
    this.executed.push(sql)
    const fault = this.#faults.find((candidate) => candidate.sql === sql && candidate.times > 0)
    if (fault !== undefined) {
      fault.times -= 1
      throw fault.error
    }
    this.#connection.exec(sql)
  }

  query(sql: string, parameters: readonly unknown[]): ReturnType<SqliteSession['query']> {
    return this.#connection.query(sql, parameters)
  }

  failOn(sql: string, error: Error, times = 1): void {
    this.#faults.push({ sql, error, times })
  }

  count(sql: string): number {
    return this.executed.filter((each) => each === sql).length
  }
}

const cleanUps: (() => void)[] = []
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
})

function start(options: GroupCommitOptions = {}): {
  commits: GroupCommit
  session: FaultySession
  kept: () => unknown[]
} {
  const directory = mkdtempSync(join(tmpdir(), 'mainstay-group-'))
  const connection = new SqliteConnection({ path: join(directory, 'test.db') })
  cleanUps.push(() => {
    connection.close()
    rmSync(directory, { recursive: true })
  })
  connection.exec('create table engines (id text primary key, lease_until integer, started_at integer)')
  const session = new FaultySession(connection)
  const kept = (): unknown[] => connection.query('select id from engines order by rowid', []).rows.map(({ id }) => id)
  return { commits: new GroupCommit(session, { clock: new ManualClock(), ...options }), session, kept }
}

async function add(queries: Queries, id: string): Promise<string> {
  await queries.insertInto('engines').values({ id, lease_until: 0, started_at: 0 }).execute()
  return id
}

async function outcomes(writes: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(writes)
  return settled.map((result) => (result.status === 'fulfilled' ? 'kept' : (result.reason as Error).message))
}

const full = new StoreFullError('disk full')

describe('writes of the same moment', () => {
  test('share one commit, and run in the order in which they came', async () => {
    const { commits, session, kept } = start()
    const names = Array.from({ length: 100 }, (_, index) => `w${index}`)
    await Promise.all(names.map((name) => commits.write((queries) => add(queries, name))))
    expect(kept()).toEqual(names)
    expect(session.count('commit')).toBe(1)
  })

  test('share no more than a full batch', async () => {
    const { commits, session } = start({ maxBatch: 10 })
    await Promise.all(Array.from({ length: 95 }, (_, index) => commits.write((queries) => add(queries, `${index}`))))
    expect(session.count('commit')).toBe(10)
  })

  test('do not keep the first waiting for a slow crowd: the batch closes after its time', async () => {
    const clock = new ManualClock()
    const { commits, session } = start({ clock, maxBatchMs: 20 })
    const slow = async (queries: Queries, id: string): Promise<string> => {
      await clock.advance(15)
      return await add(queries, id)
    }
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => commits.write((queries) => slow(queries, id))))
    expect(session.count('commit')).toBe(2)
  })

  test('are each kept or rejected for their own reason, whatever the mix', async () => {
    const kinds = fc.array(fc.constantFrom('good', 'throws', 'throws late', 'conflicts'), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(kinds, fc.integer({ min: 1, max: 8 }), async (mix, maxBatch) => {
        const { commits, kept } = start({ maxBatch })
        const results = await outcomes(
          mix.map((kind, index) =>
            commits.write(async (queries) => {
              if (kind === 'throws') throw new Error(`no ${index}`)
              await add(queries, `${index}`)
              if (kind === 'conflicts') await add(queries, `${index}`)
              if (kind === 'throws late') throw new Error(`no ${index}`)
            }),
          ),
        )
        const good = mix.flatMap((kind, index) => (kind === 'good' ? [`${index}`] : []))
        expect(kept()).toEqual(good)
        expect(results.filter((result) => result === 'kept')).toHaveLength(good.length)
      }),
      { numRuns: 25 },
    )
  })
})

describe('when the database fails in the middle', () => {
  test('at the commit, every write of the batch is rejected, none is kept, and the next one works', async () => {
    const { commits, session, kept } = start()
    session.failOn('commit', full)
    const writes = ['a', 'b', 'c'].map((id) => commits.write((queries) => add(queries, id)))
    await expect(outcomes(writes)).resolves.toEqual(['disk full', 'disk full', 'disk full'])
    await commits.write((queries) => add(queries, 'd'))
    expect(kept()).toEqual(['d'])
  })

  test('at the commit and again at the rollback, what is left over is rolled back before the next write', async () => {
    const { commits, session, kept } = start()
    session.failOn('commit', full)
    session.failOn('rollback', new StoreFullError('still full'))
    await expect(outcomes([commits.write((queries) => add(queries, 'a'))])).resolves.toEqual(['disk full'])
    expect(session.inTransaction).toBe(true)
    await commits.write((queries) => add(queries, 'b'))
    expect(kept()).toEqual(['b'])
  })

  test('at undoing one write, the batch is given up rather than keep half of that write', async () => {
    const { commits, session, kept } = start()
    session.failOn('rollback to one; release one', full)
    const writes = [
      commits.write((queries) => add(queries, 'before')),
      commits.write(async (queries) => {
        await add(queries, 'half')
        throw new Error('changed my mind')
      }),
      commits.write((queries) => add(queries, 'behind')),
    ]
    await expect(outcomes(writes)).resolves.toEqual(['disk full', 'disk full', 'kept'])
    expect(kept()).toEqual(['behind'])
  })

  test('at the start of one write, that write is rejected and the others are kept', async () => {
    const { commits, session, kept } = start()
    session.failOn('savepoint one', full)
    const writes = ['a', 'b'].map((id) => commits.write((queries) => add(queries, id)))
    await expect(outcomes(writes)).resolves.toEqual(['disk full', 'kept'])
    expect(kept()).toEqual(['b'])
  })

  test('at the end of one write, that write is undone and the others are kept', async () => {
    const { commits, session, kept } = start()
    session.failOn('release one', full)
    const writes = ['a', 'b'].map((id) => commits.write((queries) => add(queries, id)))
    await expect(outcomes(writes)).resolves.toEqual(['disk full', 'kept'])
    expect(kept()).toEqual(['b'])
  })

  test('at the start of the transaction, all that wait are told at once and later ones work', async () => {
    const { commits, session, kept } = start()
    session.failOn('begin immediate', full)
    const writes = ['a', 'b'].map((id) => commits.write((queries) => add(queries, id)))
    await expect(outcomes(writes)).resolves.toEqual(['disk full', 'disk full'])
    await commits.write((queries) => add(queries, 'c'))
    expect(kept()).toEqual(['c'])
  })

  test('and ends the transaction by itself, as SQLite does on a full disk, the batch is rejected', async () => {
    const { commits, session, kept } = start()
    const writes = [
      commits.write((queries) => add(queries, 'a')),
      commits.write(async () => {
        session.exec('rollback')
        throw full
      }),
      commits.write((queries) => add(queries, 'c')),
    ]
    await expect(outcomes(writes)).resolves.toEqual(['disk full', 'disk full', 'kept'])
    expect(kept()).toEqual(['c'])
  })
})

describe('while another process holds the lock', () => {
  test('each write waits its own time, and those that come later are not punished', async () => {
    const clock = new ManualClock()
    const { commits, session, kept } = start({ clock, busyTimeoutMs: 1000 })
    session.failOn('begin immediate', new StoreUnavailableError('locked'), 150)
    const settledAt: Record<string, number> = {}
    const write = (id: string): Promise<unknown> =>
      commits.write((queries) => add(queries, id)).finally(() => (settledAt[id] = clock.monotonic()))
    const early = outcomes([write('early')])
    await clock.advance(900)
    const late = write('late')
    await clock.advance(1100)
    await expect(early).resolves.toEqual(['locked'])
    await late
    expect(settledAt).toEqual({ early: 1000, late: 1500 })
    expect(kept()).toEqual(['late'])
  })
})

test('a queue that is full refuses what comes, and nothing that is in it is lost', async () => {
  const { commits, kept } = start({ maxQueued: 3 })
  const writes = Array.from({ length: 5 }, (_, index) => commits.write((queries) => add(queries, `${index}`)))
  const results = await outcomes(writes)
  expect(results.slice(0, 3)).toEqual(['kept', 'kept', 'kept'])
  expect(results[4]).toMatch(/has 3 changes waiting and takes no more/)
  expect(kept()).toEqual(['0', '1', '2'])
})
