import { expect, test } from 'vitest'

import type { MainstayEvent } from '../core/event.ts'
import { readOutbox } from '../store/index.ts'
import type { RecordedEntry } from './history.ts'
import { TestJournal } from './testing/start-journal.ts'
import type { WorkflowContext, WorkflowDefinition, WorkflowSubject } from './workflow.ts'

const STEP = { timeoutMs: 30_000 }

function tell(entry: RecordedEntry, { workflowId, correlationId }: WorkflowSubject): MainstayEvent | undefined {
  if (entry.kind === 'time') return undefined
  const { seq, at, key, kind } = entry
  const about = { nodeName: null, resourceId: workflowId, projectId: null, correlationId }
  return { id: `${workflowId}/${seq}`, type: kind, severity: 'info', occurredAt: at, ...about, payload: { key } }
}

function definition(run: (context: WorkflowContext) => Promise<null>): WorkflowDefinition {
  return { name: 'test', version: 1, run, tell }
}

/** What the outbox holds of one workflow, in its order. */
async function told(journal: TestJournal, id: string): Promise<string[]> {
  const waiting = await readOutbox(journal.store.read, 10_000)
  return waiting.filter(({ event }) => event.resourceId === id).map(({ event }) => `${event.id} ${event.type}`)
}

async function recorded(journal: TestJournal, id: string): Promise<string[]> {
  return (await journal.history(id))
    .filter(({ kind }) => kind !== 'time')
    .map(({ seq, kind }) => `${id}/${seq} ${kind}`)
}

test('everything that is written down is told, in its order, and what is not asked for is not', async () => {
  await using journal = await TestJournal.open()
  let failures = 0
  const engine = journal.engine([
    definition(async (context) => {
      await context.time('now')
      await context.decide('which', 'a rule', { a: 1 }, () => 'this')
      await Promise.all(
        ['a', 'b', 'c'].map((key) => context.step(key, STEP, async (attempt) => attempt.progress(1, key))),
      )
      await context.transact('ours', null, async (queries, now) => {
        await queries
          .insertInto('engines')
          .values({ id: context.workflowId, lease_until: now, started_at: now })
          .execute()
      })
      await context.acquire('lock', context.workflowId)
      const retry = { attempts: 2, minDelayMs: 10, maxDelayMs: 10 }
      await context
        .step('failing', { ...STEP, retry }, async () => {
          failures += 1
          throw new Error('no')
        })
        .catch(() => undefined)
      await context.sleep('pause', 10)
      return null
    }),
  ])
  await engine.start()
  for (const id of ['one', 'two', 'three']) await journal.enqueue(id)
  for (const id of ['one', 'two', 'three']) await journal.until(id, 'completed')
  expect(failures).toBeGreaterThanOrEqual(3)
  for (const id of ['one', 'two', 'three']) {
    const entries = await recorded(journal, id)
    expect(entries.length).toBeGreaterThan(10)
    expect(await told(journal, id)).toEqual(entries)
  }
})

test('nothing is told of what a newer owner has refused', async () => {
  await using journal = await TestJournal.open()
  const go = Promise.withResolvers<void>()
  const slow = definition(async (context) => {
    await context.step('act', STEP, async () => await go.promise)
    return null
  })
  const quick = definition(async (context) => {
    await context.step('act', STEP, async () => undefined)
    return null
  })
  const first = journal.engine([slow], { leaseMs: 300 })
  await first.start()
  await journal.enqueue('one')
  await journal.untilTrue('the step has begun', async () => (await journal.history('one')).length === 1)
  // Its process is paused: it renews no lease, and goes on once another has taken over.
  const second = journal.engine([quick], { leaseMs: 300, exclusive: true })
  await second.start()
  await journal.until('one', 'completed')
  go.resolve()
  await journal.clock.advance(1000)
  expect(await told(journal, 'one')).toEqual(await recorded(journal, 'one'))
  expect((await told(journal, 'one')).filter((each) => each.endsWith(' outcome'))).toHaveLength(1)
})
