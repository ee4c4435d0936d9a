import { expect, test } from 'vitest'

import { NotClaimed } from '../../packages/mainstay/src/journal/errors.ts'
import { JournalStore } from '../../packages/mainstay/src/journal/journal-store.ts'
import { subjectLock } from '../../packages/mainstay/src/journal/locks.ts'
import { firstClaimConformance } from '../../packages/mainstay/src/journal/testing/first-claim-conformance.ts'
import { TroubledStore } from '../../packages/mainstay/src/journal/testing/troubled-store.ts'
import type { WorkflowDefinition } from '../../packages/mainstay/src/journal/index.ts'
import { PATIENCE_MS, PostgresJournal } from './support/postgres-journal.ts'
import { usePostgres } from './support/shared-postgres.ts'

const database = usePostgres()

/** Nobody dies here, however long the machine stalls. */
const leaseMs = 30_000

firstClaimConformance(async (ctx) => {
  const journal = await PostgresJournal.open(await database(ctx))
  return {
    store: journal.store,
    engine: async (definitions) => await journal.engine(definitions, { leaseMs }),
    stop: async (engine) => await journal.stop(engine),
    errors: () => journal.errors(),
    enqueue: async (id, options) => await journal.enqueue(id, options),
    until: async (id, wanted) => await journal.until(id, wanted),
    idle: async () => await journal.idle(),
    [Symbol.asyncDispose]: async () => await journal[Symbol.asyncDispose](),
  }
})

test('a claim does not wait for whoever is about to give the subject back, and does not overtake what he leaves', async (ctx) => {
  await using journal = await PostgresJournal.open(await database(ctx))
  await journal.enqueue('older', { subject: 'host' })
  await journal.enqueue('younger', { subject: 'host' })
  const { read } = journal.store
  await journal.store.write(async (queries) => {
    await queries.updateTable('workflows').set({ status: 'running', fence: 1 }).where('id', '=', 'older').execute()
    const lock = { name: subjectLock('host'), workflow_id: 'older', at: 1 }
    await queries.insertInto('workflow_locks').values(lock).execute()
  })
  const given = Promise.withResolvers<void>()
  const commit = Promise.withResolvers<void>()
  const parking = journal.store.write(async (queries) => {
    await queries.deleteFrom('workflow_locks').where('workflow_id', '=', 'older').execute()
    await queries.updateTable('workflows').set({ status: 'waiting' }).where('id', '=', 'older').execute()
    given.resolve()
    await commit.promise
  })
  await given.promise
  const record = { workflowId: 'younger', fence: 1, at: Date.now(), entries: [], line: { lost: undefined } }
  const claiming = new JournalStore(journal.store).record({ ...record, claim: { engine: 'e' } })
  await expect(claiming).rejects.toThrow(NotClaimed)
  commit.resolve()
  await parking
  expect(await read.selectFrom('workflow_locks').selectAll().execute()).toEqual([])
})

/** Holds back looks for what dead owners left, until it is told to let them through. */
class SlowLooks extends TroubledStore {
  readonly looking = Promise.withResolvers<void>()
  readonly through = Promise.withResolvers<void>()

  override async writeStatement<Row>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
    if (sql.includes('from engines')) {
      this.looking.resolve()
      await this.through.promise
    }
    return await super.writeStatement<Row>(sql, parameters)
  }
}

test('a look that is under way does not take what the engine begins meanwhile', async (ctx) => {
  await using journal = await PostgresJournal.open(await database(ctx))
  const store = new SlowLooks(journal.store)
  const acts: boolean[] = []
  const done = Promise.withResolvers<void>()
  const definition: WorkflowDefinition = {
    name: 'test',
    version: 1,
    run: async (context) =>
      await context.step('a', { timeoutMs: 30_000 }, async ({ repeated }) => {
        acts.push(repeated)
        await done.promise
        return null
      }),
  }
  const engine = await journal.engine([definition], { store, leaseMs })
  await store.looking.promise
  engine.poke(await journal.enqueue('w'))
  // Were it begun at once, this would be time enough for its first record.
  for (let turn = 0; turn < 20; turn += 1) await journal.find('w')
  store.through.resolve()
  await expect.poll(() => acts, { timeout: PATIENCE_MS }).not.toEqual([])
  const looks = (): string[] => journal.tasks.flatMap((each) => each.names()).filter((name) => name.startsWith('claim'))
  await expect.poll(looks, { timeout: PATIENCE_MS }).toEqual([])
  done.resolve()
  expect(await journal.until('w', 'completed')).toMatchObject({ fence: 1 })
  expect(acts).toEqual([false])
})
