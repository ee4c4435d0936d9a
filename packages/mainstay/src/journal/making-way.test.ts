import { expect, test } from 'vitest'

import { TestJournal } from './testing/start-journal.ts'
import type { WorkflowDefinition } from './workflow.ts'

/** The clock stands still in all of these: what is found is found because somebody made way, not because time passed. */
const NO_TIME = 0

function acting(order: string[]): WorkflowDefinition {
  return {
    name: 'test',
    version: 1,
    run: async (context) => {
      await context.step('act', { timeoutMs: 60_000 }, async () => void order.push(context.workflowId))
      return null
    },
  }
}

test('who ends makes room: the next one is taken at once, and so on to the last', async () => {
  await using journal = await TestJournal.open()
  const order: string[] = []
  const ids = Array.from({ length: 7 }, (_, at) => `w${at}`)
  for (const id of ids) await journal.enqueue(id)
  const startedAt = journal.clock.monotonic()
  await journal.engine([acting(order)], { maxConcurrent: 2 }).start()
  for (const id of ids) await journal.until(id, 'completed', NO_TIME)
  expect(order).toEqual(ids)
  expect(journal.clock.monotonic()).toBe(startedAt)
})

test('who ends makes way for the next of its subject', async () => {
  await using journal = await TestJournal.open()
  const order: string[] = []
  const ids = ['w1', 'w2', 'w3']
  for (const id of ids) await journal.enqueue(id, { subject: 'host' })
  await journal.engine([acting(order)]).start()
  for (const id of ids) await journal.until(id, 'completed', NO_TIME)
  expect(order).toEqual(ids)
})

test('what came while the engine was full is found when it has room again, whatever its subject', async () => {
  await using journal = await TestJournal.open()
  const order: string[] = []
  const go = Promise.withResolvers<void>()
  const first: WorkflowDefinition = {
    name: 'first',
    version: 1,
    run: async (context) => {
      await context.step('act', { timeoutMs: 60_000 }, async () => await go.promise)
      return null
    },
  }
  await journal.enqueue('f', { name: 'first' })
  const engine = journal.engine([acting(order), first], { maxConcurrent: 1 })
  await engine.start()
  await journal.until('f', 'running', NO_TIME)
  await journal.enqueue('later')
  engine.poke()
  await journal.clock.advance(NO_TIME)
  expect((await journal.find('later')).status).toBe('pending')
  go.resolve()
  await journal.until('later', 'completed', NO_TIME)
  expect(order).toEqual(['later'])
})
