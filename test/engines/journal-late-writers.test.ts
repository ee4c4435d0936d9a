import { sql } from 'kysely'
import { expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { StaleOwnerError } from '../../packages/mainstay/src/journal/errors.ts'
import { enqueueWorkflow, findWorkflow, workflowHistory } from '../../packages/mainstay/src/journal/index.ts'
import { JournalStore } from '../../packages/mainstay/src/journal/journal-store.ts'
import type { HistoryRecord } from '../../packages/mainstay/src/journal/record.ts'
import { PostgresStore, type Queries } from '../../packages/mainstay/src/store/index.ts'
import { usePostgres } from './support/shared-postgres.ts'

const clock = new SystemClock()
const MINE = 1
const THEIRS = 2

const database = usePostgres()

function record(workflowId: string, change?: HistoryRecord['change']): HistoryRecord {
  const entry = { seq: 1, kind: 'intent', key: 'act', data: { input: null, attempt: 1 } } as const
  return { workflowId, fence: MINE, line: { lost: undefined }, at: 1, entries: [entry], change }
}

const END = { status: 'completed', wakeAt: null, reason: null, result: null } as const

async function waitingForLock(queries: Queries): Promise<number> {
  const asked = sql<{ waiting: number }>`select count(*)::integer as waiting from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()`
  return (await asked.execute(queries)).rows[0]?.waiting ?? 0
}

const cases: { name: string; records: HistoryRecord[] }[] = [
  { name: 'one that goes on', records: [record('taken')] },
  { name: 'one that ends', records: [record('taken', END)] },
  { name: 'some that go on', records: [record('kept'), record('taken')] },
  { name: 'some that end', records: [record('kept', END), record('taken', END)] },
]

test.for(cases)(
  'who is taken over while the record waits for the row writes nothing: $name',
  async ({ records }, ctx) => {
    await using store = closing(PostgresStore.open({ url: await database(ctx), clock, logger: silentLogger() }))
    await store.migrate()
    await store.write(async (queries) => {
      for (const id of ['kept', 'taken'])
        await enqueueWorkflow(queries, { id, name: 'test', version: 1, subject: id, input: null }, clock.now())
      await queries.updateTable('workflows').set({ status: 'running', fence: MINE }).execute()
    })
    const journal = new JournalStore(store)
    const commit = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const takeover = store.write(async (queries) => {
      await queries.updateTable('workflows').set({ fence: THEIRS }).where('id', '=', 'taken').execute()
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
    expect(outcomes).toEqual(records.map(({ workflowId }) => (workflowId === 'kept' ? 'written' : refused)))
    expect(await workflowHistory(store.read, 'taken')).toEqual([])
    expect(await findWorkflow(store.read, 'taken')).toMatchObject({ status: 'running', fence: THEIRS })
    const kept = records.find(({ workflowId }) => workflowId === 'kept')
    expect(await workflowHistory(store.read, 'kept')).toHaveLength(kept === undefined ? 0 : 1)
    expect((await findWorkflow(store.read, 'kept'))?.status).toBe(kept?.change?.status ?? 'running')
  },
)

function closing(store: PostgresStore): PostgresStore & AsyncDisposable {
  return Object.assign(store, { [Symbol.asyncDispose]: async () => await store.close() })
}
