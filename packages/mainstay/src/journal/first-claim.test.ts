import { expect, test } from 'vitest'

import { StoreUnavailableError } from '../store/index.ts'
import { errorLog } from './testing/error-log.ts'
import { firstClaimConformance, type ClaimJournal } from './testing/first-claim-conformance.ts'
import { TestJournal } from './testing/start-journal.ts'
import { TroubledStore } from './testing/troubled-store.ts'
import type { WorkflowDefinition } from './workflow.ts'

async function open(): Promise<ClaimJournal> {
  const journal = await TestJournal.open()
  const { logger, errors } = errorLog()
  return {
    store: journal.store,
    errors: () => errors,
    engine: async (definitions) => {
      const engine = journal.engine(definitions, { logger })
      await engine.start()
      return engine
    },
    stop: async (engine) => {
      journal.forget(engine)
      const stopping = engine.stop()
      await journal.clock.advance(15_000)
      await stopping
    },
    enqueue: async (id, options) => await journal.enqueue(id, options),
    until: async (id, wanted) => await journal.until(id, wanted),
    idle: async () => {
      for (let turn = 0; turn < 5; turn += 1) await journal.clock.advance(0)
    },
    [Symbol.asyncDispose]: async () => await journal[Symbol.asyncDispose](),
  }
}

firstClaimConformance(open)

const acting = (acts: string[]): WorkflowDefinition => ({
  name: 'test',
  version: 1,
  run: async (context) => await context.step('a', { timeoutMs: 30_000 }, async () => acts.push(context.workflowId)),
})

test('a workflow that the engine is told of is claimed by what it writes down first, one that it finds by a write of its own', async () => {
  await using journal = await TestJournal.open()
  const store = new TroubledStore(journal.store)
  const engine = journal.engine([acting([])], { store })
  await engine.start()
  await journal.clock.advance(0)
  const writesFor = async (id: string, told: boolean): Promise<number> => {
    const enqueued = await journal.enqueue(id)
    const before = store.writes
    engine.poke(told ? enqueued : undefined)
    for (let turn = 0; turn < 5; turn += 1) await journal.clock.advance(0)
    expect((await journal.find(id)).status).toBe('completed')
    return store.writes - before
  }
  expect(await writesFor('told', true)).toBe(2)
  expect(await writesFor('found', false)).toBe(3)
})

test('begins without looking only with nothing else to do: a rush is claimed together', async () => {
  await using journal = await TestJournal.open()
  const store = new TroubledStore(journal.store)
  const acts: string[] = []
  const engine = journal.engine([acting(acts)], { store })
  await engine.start()
  await journal.clock.advance(0)
  const rush = await Promise.all(Array.from({ length: 20 }, async (_, at) => await journal.enqueue(`w${at}`)))
  const before = store.writes
  for (const each of rush) engine.poke(each)
  for (const { id } of rush) await journal.until(id, 'completed')
  expect(acts).toHaveLength(20)
  expect(store.writes - before).toBeLessThan(20)
})

test('a claim of which nobody knows whether it was made is taken for lost, and the workflow goes on under the next token', async () => {
  await using journal = await TestJournal.open()
  const store = new TroubledStore(journal.store)
  const acts: string[] = []
  const change: WorkflowDefinition = {
    name: 'test',
    version: 1,
    run: async (context) => {
      await context.transact('a', null, async () => null).catch(() => undefined)
      return await context.step('b', { timeoutMs: 30_000 }, async () => acts.push(context.workflowId))
    },
  }
  const engine = journal.engine([change], { store })
  await engine.start()
  await journal.clock.advance(0)
  const enqueued = await journal.enqueue('w')
  store.answerLost = () => new StoreUnavailableError('the answer to the commit was lost')
  engine.poke(enqueued)
  for (let turn = 0; turn < 5; turn += 1) await journal.clock.advance(0)
  expect(acts).toEqual([])
  expect(await journal.find('w')).toMatchObject({ status: 'running', fence: 1 })
  store.answerLost = undefined
  expect(await journal.until('w', 'completed', 100)).toMatchObject({ fence: 2 })
  expect(acts).toEqual(['w'])
})

test('an engine that is stopped while its claim is refused says nothing of it', async () => {
  await using journal = await TestJournal.open()
  const { logger, errors } = errorLog()
  const engine = journal.engine([acting([])], { logger })
  await engine.start()
  await journal.clock.advance(0)
  engine.poke({ ...(await journal.enqueue('w')), id: 'never' })
  const stopping = engine.stop()
  await journal.clock.advance(1000)
  await stopping
  expect(errors).toEqual([])
})

test('a first record that the database did not take is tried again, by a look, and acts once', async () => {
  await using journal = await TestJournal.open()
  const store = new TroubledStore(journal.store)
  const acts: string[] = []
  const engine = journal.engine([acting(acts)], { store })
  await engine.start()
  await journal.clock.advance(0)
  const enqueued = await journal.enqueue('w')
  store.trouble = () => new StoreUnavailableError('the database is away')
  engine.poke(enqueued)
  for (let turn = 0; turn < 5; turn += 1) await journal.clock.advance(0)
  expect(store.refused).toBeGreaterThan(0)
  expect(acts).toEqual([])
  expect((await journal.find('w')).status).toBe('pending')
  store.trouble = undefined
  await journal.until('w', 'completed', 100)
  expect(acts).toEqual(['w'])
})
