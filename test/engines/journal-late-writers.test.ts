import { sql } from 'kysely'
import { expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { StaleOwnerError } from '../../packages/mainstay/src/journal/errors.ts'
import { enqueueWorkflow, workflowHistory } from '../../packages/mainstay/src/journal/index.ts'
import { JournalStore } from '../../packages/mainstay/src/journal/journal-store.ts'
import { subjectLock } from '../../packages/mainstay/src/journal/locks.ts'
import type { HistoryRecord } from '../../packages/mainstay/src/journal/record.ts'
import { PostgresStore, type Queries } from '../../packages/mainstay/src/store/index.ts'
import { usePostgres } from './support/shared-postgres.ts'

const clock = new SystemClock()
const MINE = 1
const THEIRS = 2

/** Rows are locked in this order: those before and after the one that is taken stay ours, and the last is woken meanwhile. */
const IDS = ['kept', 'taken', 'woken']

const database = usePostgres()

function record(workflowId: string, change?: HistoryRecord['change']): HistoryRecord {
  const entry = { seq: 1, kind: 'intent', key: 'act', data: { input: null, attempt: 1 } } as const
  return { workflowId, fence: MINE, line: { lost: undefined }, at: 1, entries: [entry], change }
}

const WOKEN_AT = 7

const END = { status: 'completed', wakeAt: null, reason: null, result: null } as const

async function waitingForLock(queries: Queries): Promise<number> {
  const asked = sql<{ waiting: number }>`select count(*)::integer as waiting from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()`
  return (await asked.execute(queries)).rows[0]?.waiting ?? 0
}

const cases: { name: string; records: HistoryRecord[] }[] = [
  { name: 'one that goes on', records: [record('taken')] },
  { name: 'one that ends', records: [record('taken', END)] },
  { name: 'some that go on', records: IDS.map((id) => record(id)) },
  { name: 'some that end', records: IDS.map((id) => record(id, END)) },
]

test.for(cases)(
  'who is taken over while the record waits for the row writes nothing: $name',
  async ({ records }, ctx) => {
    await using store = closing(PostgresStore.open({ url: await database(ctx), clock, logger: silentLogger() }))
    await store.migrate()
    await store.write(async (queries) => {
      for (const id of IDS)
        await enqueueWorkflow(queries, { id, name: 'test', version: 1, subject: id, input: null }, clock.now())
      await queries.updateTable('workflows').set({ status: 'running', fence: MINE, wake_at: null }).execute()
      const locks = IDS.map((id) => ({ name: subjectLock(id), workflow_id: id, at: 1 }))
      await queries.insertInto('workflow_locks').values(locks).execute()
    })
    const journal = new JournalStore(store)
    const commit = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const takeover = store.write(async (queries) => {
      await queries.updateTable('workflows').set({ fence: THEIRS }).where('id', '=', 'taken').execute()
      await queries.updateTable('workflows').set({ wake_at: WOKEN_AT }).where('id', '=', 'woken').execute()
      locked.resolve()
      await commit.promise
    })
    await locked.promise
    const written = Promise.allSettled(records.map((each) => journal.record(each)))
    await expect.poll(() => waitingForLock(store.read), { timeout: 20_000 }).toBe(1)
    commit.resolve()
    await takeover
    const outcomes = (await written).map((each) => (each.status === 'fulfilled' ? 'written' : each.reason))
    const refused = expect.any(StaleOwnerError)
    expect(outcomes).toEqual(records.map(({ workflowId }) => (workflowId === 'taken' ? refused : 'written')))
    for (const id of IDS) {
      const own = id === 'taken' ? undefined : records.find(({ workflowId }) => workflowId === id)
      const ends = own?.change !== undefined
      expect(await workflowHistory(store.read, id)).toHaveLength(own === undefined ? 0 : 1)
      const row = await store.read.selectFrom('workflows').selectAll().where('id', '=', id).executeTakeFirst()
      expect(row).toMatchObject({
        status: ends ? 'completed' : 'running',
        fence: id === 'taken' ? THEIRS : MINE,
        wake_at: id === 'woken' ? WOKEN_AT : null,
      })
      const lock = store.read.selectFrom('workflow_locks').select('name').where('workflow_id', '=', id)
      expect(await lock.execute()).toHaveLength(ends ? 0 : 1)
    }
  },
)

function closing(store: PostgresStore): PostgresStore & AsyncDisposable {
  return Object.assign(store, { [Symbol.asyncDispose]: async () => await store.close() })
}
