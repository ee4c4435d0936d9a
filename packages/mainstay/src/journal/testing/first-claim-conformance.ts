import { expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { MainstayError } from '../../core/errors.ts'
import type { MainstayEvent } from '../../core/event.ts'
import type { Json } from '../../core/json.ts'
import type { Store } from '../../store/index.ts'
import { firstClaimed, type EnqueuedWorkflow } from '../claimed-workflow.ts'
import type { Engine } from '../engine.ts'
import { cancelWorkflow, enqueueWorkflow } from '../enqueue.ts'
import { NotClaimed } from '../errors.ts'
import type { HistoryEntry } from '../history.ts'
import { workflowHistory, type WorkflowSummary } from '../inspect.ts'
import { JournalStore } from '../journal-store.ts'
import { subjectLock } from '../locks.ts'
import type { HistoryRecord } from '../record.ts'
import { RunJournal } from '../run-journal.ts'
import type { WorkflowContext, WorkflowDefinition, WorkflowStatus } from '../workflow.ts'

/** A journal with engines that run, on whatever database. */
export interface ClaimJournal extends AsyncDisposable {
  readonly store: Store
  engine(definitions: readonly WorkflowDefinition[]): Promise<Engine>
  enqueue(id: string, options?: { subject?: string; input?: Json }): Promise<EnqueuedWorkflow>
  until(id: string, wanted: WorkflowStatus): Promise<WorkflowSummary>
  stop(engine: Engine): Promise<void>
  /** What the engines have logged as errors. */
  errors(): readonly string[]
  /** Waits until the engines have nothing to do before their clocks move on. */
  idle(): Promise<void>
}

/** The first record of somebody who takes the workflow for new. */
function claimingRecord(workflowId: string, seq = 1): HistoryRecord {
  const entries = [{ seq, ...INTENT }]
  return { workflowId, fence: 1, at: NOW, entries, line: { lost: undefined }, claim: { engine: 'first' } }
}

const NOW = 1
const NEW = { id: 'w', name: 'test', version: 1, subject: 'w', input: null }

const EVENT: MainstayEvent = {
  id: 'event',
  type: 'test.event',
  severity: 'info',
  occurredAt: NOW,
  nodeName: null,
  resourceId: null,
  projectId: null,
  correlationId: null,
  payload: {},
}

const INTENT: HistoryEntry = { kind: 'intent', key: 'a', data: { input: null, attempt: 1 } }

class TestRefusalError extends MainstayError {
  readonly code = 'MS_TEST_REFUSAL'
  readonly status = 409
  readonly retryable = false
}

const step = { timeoutMs: 30_000 }

function workflow(run: (context: WorkflowContext, input: Json) => Promise<Json>): WorkflowDefinition {
  return { name: 'test', version: 1, run }
}

/** Everything that can be the first thing that a workflow asks for, and what is written down of it. */
const BEGINNINGS: readonly {
  name: string
  kinds: readonly string[]
  run: (context: WorkflowContext) => Promise<Json>
}[] = [
  { name: 'nothing', kinds: [], run: async () => 'result' },
  {
    name: 'a step',
    kinds: ['intent', 'outcome'],
    run: async (context) => await context.step('a', step, async () => 'result'),
  },
  {
    name: 'a decision, then a step',
    kinds: ['decision', 'intent', 'outcome'],
    run: async (context) => {
      const verdict = await context.decide('a', 'a rule', 1, (given) => `result ${given}`.slice(0, 6))
      return await context.step('b', step, async () => verdict)
    },
  },
  {
    name: 'more things at once than a statement is kept for',
    kinds: ['time', 'decision', 'decision', 'decision', 'decision', 'intent', 'outcome'],
    run: async (context) => {
      await context.time('now')
      for (const key of ['a', 'b', 'c', 'd']) await context.decide(key, 'a rule', key, (given) => given)
      return await context.step('e', step, async () => 'result')
    },
  },
  {
    name: 'the time only',
    kinds: ['time'],
    run: async (context) => ((await context.time('now')) > 0 ? 'result' : 'no time'),
  },
  {
    name: 'a change of our own',
    kinds: ['transaction', 'intent', 'outcome'],
    run: async (context) => {
      const changed = await context.transact('a', null, async (queries, at) => {
        const proof = { name: `proof ${context.workflowId}`, workflow_id: 'proof', at }
        await queries.insertInto('workflow_locks').values(proof).execute()
        return 'result'
      })
      return await context.step('b', step, async () => changed)
    },
  },
  {
    name: 'a change of our own that is refused',
    kinds: ['intent', 'outcome'],
    run: async (context) => {
      const refused = async (): Promise<never> => await Promise.reject(new TestRefusalError('no'))
      await expect(context.transact('a', null, refused)).rejects.toThrow(TestRefusalError)
      return await context.step('b', step, async () => 'result')
    },
  },
  {
    name: 'a lock',
    kinds: ['lock'],
    run: async (context) => ((await context.acquire('a', `lock ${context.workflowId}`)) ? 'result' : 'none'),
  },
  {
    name: 'a sleep',
    kinds: ['timer'],
    run: async (context) => {
      await context.sleep('a', 1)
      return 'result'
    },
  },
  {
    name: 'a sleep for which it gives its subject back',
    kinds: ['timer'],
    run: async (context) => {
      await context.sleep('a', 20, { releases: 'subject' })
      return 'result'
    },
  },
  {
    name: 'a signal that does not come',
    kinds: ['wait', 'signal'],
    run: async (context) =>
      (await context.waitForSignal('a', { names: ['never'], timeoutMs: 1 })) === undefined ? 'result' : 'a signal',
  },
  {
    name: 'two things beside each other, one of them a change of our own',
    kinds: ['transaction', 'intent', 'outcome'],
    run: async (context) => {
      const [changed] = await Promise.all([
        context.transact('a', null, async () => 'result'),
        context.step('b', step, async () => null),
      ])
      return changed
    },
  },
  {
    name: 'two things beside each other, the second of them a change of our own',
    kinds: ['intent', 'outcome', 'transaction'],
    run: async (context) => {
      const [, changed] = await Promise.all([
        context.step('a', step, async () => null),
        context.transact('b', null, async () => 'result'),
      ])
      return changed
    },
  },
]

/** What holds of workflows that an engine is told of, so that it begins them before it claims them. */
export function firstClaimConformance(open: (ctx: { skip: (note?: string) => never }) => Promise<ClaimJournal>): void {
  test.for(BEGINNINGS)('begins with $name', async ({ kinds, run }, ctx) => {
    await using journal = await open(ctx)
    const engine = await journal.engine([workflow(run)])
    await journal.idle()
    engine.poke(await journal.enqueue('w'))
    expect(await journal.until('w', 'completed')).toMatchObject({ result: 'result', owner: null })
    const history = await workflowHistory(journal.store.read, 'w')
    expect(history.map(({ kind }) => kind).toSorted()).toEqual(kinds.toSorted())
    const seqs = history.map(({ seq }) => seq)
    expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b))
    const locks = await journal.store.read.selectFrom('workflow_locks').select('name').execute()
    expect(locks.filter(({ name }) => !name.startsWith('proof'))).toEqual([])
  })

  test('owns the workflow and has its subject before it acts', async (ctx) => {
    await using journal = await open(ctx)
    const acting = Promise.withResolvers<void>()
    const seen: unknown[] = []
    const engine = await journal.engine([
      workflow(
        async (context) =>
          await context.step('a', step, async ({ fence }) => {
            const { read } = journal.store
            seen.push(await read.selectFrom('workflows').select(['status', 'owner', 'fence']).execute(), fence)
            seen.push(await read.selectFrom('workflow_locks').select(['name', 'workflow_id']).execute())
            acting.resolve()
            return null
          }),
      ),
    ])
    await journal.idle()
    engine.poke(await journal.enqueue('w', { subject: 'host' }))
    await acting.promise
    await journal.until('w', 'completed')
    expect(seen).toEqual([
      [{ status: 'running', owner: engine.id, fence: 1 }],
      1,
      [{ name: subjectLock('host'), workflow_id: 'w' }],
    ])
  })

  test('two engines that are told of the same workflow run it once', async (ctx) => {
    await using journal = await open(ctx)
    let acts = 0
    const definition = workflow(async (context) => await context.step('a', step, async () => (acts += 1)))
    const engines = [await journal.engine([definition]), await journal.engine([definition])]
    for (let round = 0; round < 20; round += 1) {
      const id = `w${round}`
      await journal.idle()
      const enqueued = await journal.enqueue(id)
      for (const engine of engines) engine.poke(enqueued)
      expect(await journal.until(id, 'completed')).toMatchObject({ result: round + 1, fence: 1 })
      expect(await workflowHistory(journal.store.read, id)).toHaveLength(2)
    }
  })

  test('does nothing about a workflow whose transaction was rolled back', async (ctx) => {
    await using journal = await open(ctx)
    const acts: string[] = []
    const definition = workflow(
      async (context) => await context.step('a', step, async () => acts.push(context.workflowId)),
    )
    const engine = await journal.engine([definition])
    await journal.idle()
    const added: EnqueuedWorkflow[] = []
    const rolledBack = journal.store.write(async (queries) => {
      added.push(await enqueueWorkflow(queries, { ...NEW, id: 'never' }, NOW))
      throw new TestRefusalError('rolled back')
    })
    await expect(rolledBack).rejects.toThrow(TestRefusalError)
    engine.poke(added[0])
    await journal.idle()
    engine.poke(await journal.enqueue('last'))
    await journal.until('last', 'completed')
    expect(acts).toEqual(['last'])
  })

  test('waits for its subject, and comes after what is older', async (ctx) => {
    await using journal = await open(ctx)
    const acts: string[] = []
    const definition = workflow(
      async (context) => await context.step('a', step, async () => acts.push(context.workflowId)),
    )
    const engine = await journal.engine([definition])
    await journal.idle()
    const lock = { name: subjectLock('host'), workflow_id: 'other', at: NOW }
    await journal.store.write(async (queries) => {
      await queries.insertInto('workflow_locks').values(lock).execute()
    })
    engine.poke(await journal.enqueue('first', { subject: 'host' }))
    await journal.idle()
    expect(acts).toEqual([])
    const second = await journal.enqueue('second', { subject: 'host' })
    await journal.store.write(async (queries) => {
      await queries.deleteFrom('workflow_locks').where('workflow_id', '=', 'other').execute()
    })
    // Nobody has told of the first that its subject is free.
    engine.poke(second)
    await journal.until('second', 'completed')
    expect(acts).toEqual(['first', 'second'])
  })

  test.for([
    { status: 'running', fence: 1 },
    { status: 'waiting', fence: 1 },
    { status: 'held', fence: 0 },
    { status: 'pending', fence: 1 },
    { status: 'completed', fence: 0 },
  ] as const)('a record claims no workflow that is $status with token $fence', async (state, ctx) => {
    await using journal = await open(ctx)
    await journal.enqueue('w')
    await journal.store.write(async (queries) => {
      await queries.updateTable('workflows').set(state).where('id', '=', 'w').execute()
    })
    const { read } = journal.store
    const before = await read.selectFrom('workflows').selectAll().execute()
    const record = claimingRecord('w')
    await expect(new JournalStore(journal.store).record(record)).rejects.toThrow(NotClaimed)
    expect(await read.selectFrom('workflows').selectAll().execute()).toEqual(before)
    expect(await workflowHistory(read, 'w')).toEqual([])
    expect(await read.selectFrom('workflow_locks').selectAll().execute()).toEqual([])
  })

  test.for([0, 1, 2, 4, 5].flatMap((count) => [false, true].map((telling) => ({ count, telling }))))(
    'claims with $count entries, events told: $telling',
    async ({ count, telling }, ctx) => {
      await using journal = await open(ctx)
      await journal.enqueue('w', { subject: 'host' })
      const store = new JournalStore(journal.store)
      const line = { lost: undefined }
      const events: MainstayEvent[] = telling ? [{ ...EVENT, id: 'told' }] : []
      const records = Array.from({ length: Math.max(1, count) }, (_, at) => ({
        ...claimingRecord('w', at + 1),
        line,
        ...(count === 0 ? { entries: [] } : {}),
        ...(at === 0 ? { events } : { claim: undefined }),
      }))
      await Promise.all(records.map(async (each) => await store.record(each)))
      const { read } = journal.store
      const rows = await read.selectFrom('workflows').select(['status', 'owner', 'fence', 'wake_at']).execute()
      expect(rows).toEqual([{ status: 'running', owner: 'first', fence: 1, wake_at: null }])
      const history = await workflowHistory(read, 'w')
      expect(history.map(({ seq, fence }) => [seq, fence])).toEqual(
        Array.from({ length: count }, (_, at) => [at + 1, 1]),
      )
      const lock = { name: subjectLock('host'), workflow_id: 'w' }
      expect(await read.selectFrom('workflow_locks').select(['name', 'workflow_id']).execute()).toEqual([lock])
      const told = await read.selectFrom('event_outbox').select('event_id').execute()
      expect(told).toEqual(events.map(({ id }) => ({ event_id: id })))
    },
  )

  test('a function that fails before anything is written says so only of a workflow that is its own', async (ctx) => {
    await using journal = await open(ctx)
    const definition = workflow(async () => await Promise.reject(new TestRefusalError('bad input')))
    const engine = await journal.engine([definition])
    await journal.idle()
    const lock = { name: subjectLock('host'), workflow_id: 'other', at: NOW }
    await journal.store.write(async (queries) => {
      await queries.insertInto('workflow_locks').values(lock).execute()
    })
    engine.poke(await journal.enqueue('w', { subject: 'host' }))
    await journal.idle()
    expect(journal.errors()).toEqual([])
    await journal.store.write(async (queries) => {
      await queries.deleteFrom('workflow_locks').where('workflow_id', '=', 'other').execute()
    })
    engine.poke()
    await journal.until('w', 'failed')
    expect(journal.errors()).toEqual([expect.stringContaining('bad input')])
  })

  test('a claim that is refused harms nobody who writes at the same moment', async (ctx) => {
    await using journal = await open(ctx)
    const store = new JournalStore(journal.store)
    for (const id of ['mine', 'new']) await journal.enqueue(id)
    await store.record(claimingRecord('mine'))
    const outcomes = await Promise.allSettled([
      store.record({ ...claimingRecord('mine', 2), claim: undefined }),
      store.record(claimingRecord('never')),
      store.record(claimingRecord('new')),
      store.record({ ...claimingRecord('mine', 3), claim: undefined }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    const seqsOf = async (id: string): Promise<number[]> =>
      (await workflowHistory(journal.store.read, id)).map(({ seq }) => seq)
    expect([await seqsOf('mine'), await seqsOf('new')]).toEqual([[1, 2, 3], [1]])
  })

  test.for([
    { how: 'a record', write: async (run: RunJournal) => await run.record([INTENT]) },
    { how: 'a change of our own', write: async (run: RunJournal) => await run.recordAlong(async () => INTENT) },
    {
      how: 'a record beside a change of our own',
      write: async (run: RunJournal) => {
        const [record, along] = await Promise.allSettled([
          run.record([INTENT]),
          run.recordAlong(async () => ({ ...INTENT, key: 'b' })),
        ])
        expect(record).toEqual({ status: 'rejected', reason: expect.any(NotClaimed) })
        if (along.status === 'rejected') throw along.reason
      },
    },
  ])('once $how was refused, nothing is written with a token that is somebody else’s', async ({ write }, ctx) => {
    await using journal = await open(ctx)
    const store = new JournalStore(journal.store)
    const tools = { store, clock: new ManualClock(), afterCommit: () => undefined, tell: () => undefined }
    const run = new RunJournal(firstClaimed(await journal.enqueue('w')), tools, { engine: 'late' })
    // The other one has the same token: both believed to be the first.
    await store.record(claimingRecord('w'))
    await expect(write(run)).rejects.toThrow(NotClaimed)
    const end = { status: 'failed', wakeAt: null, reason: 'late', result: null } as const
    const more = [
      async () => await run.record([INTENT]),
      async () => await run.recordAlong(async () => INTENT),
      async () => await run.change(end),
      async () => await run.end(end, async () => undefined),
    ]
    for (const each of more) await expect(each()).rejects.toThrow(NotClaimed)
    expect(await run.owned()).toBe(false)
    expect(await workflowHistory(journal.store.read, 'w')).toHaveLength(1)
  })

  test('one that was cancelled before anything was written down ends without an act', async (ctx) => {
    await using journal = await open(ctx)
    let acts = 0
    const definition = workflow(async (context) => await context.step('a', step, async () => (acts += 1)))
    const engine = await journal.engine([definition])
    await journal.idle()
    const enqueued = await journal.store.write(async (queries) => {
      const added = await enqueueWorkflow(queries, NEW, NOW)
      await cancelWorkflow(queries, { workflowId: NEW.id, reason: 'a test' }, NOW)
      return added
    })
    engine.poke(enqueued)
    expect(await journal.until('w', 'cancelled')).toMatchObject({ reason: expect.stringContaining('a test') })
    expect(acts).toBe(0)
  })

  test.for([
    {
      what: 'throws at once',
      reason: 'no such host',
      run: async () => await Promise.reject(new TestRefusalError('no such host')),
    },
    {
      what: 'wants to write down what cannot be',
      reason: 'BigInt',
      run: async (context: WorkflowContext) => await context.step('a', { ...step, input: 1n }, async () => null),
    },
  ])('a workflow that $what fails with the reason', async ({ reason, run }, ctx) => {
    await using journal = await open(ctx)
    const ended: unknown[] = []
    const definition: WorkflowDefinition = {
      ...workflow(run),
      ended: async (_queries, { status }) => void ended.push(status),
    }
    const engine = await journal.engine([definition])
    await journal.idle()
    engine.poke(await journal.enqueue('w'))
    expect(await journal.until('w', 'failed')).toMatchObject({ reason: expect.stringContaining(reason), fence: 1 })
    expect(ended).toEqual(['failed'])
    expect(journal.errors()).toEqual([expect.stringContaining(reason)])
  })

  test('an engine that is stopped before the first record is on disk leaves the workflow to others', async (ctx) => {
    await using journal = await open(ctx)
    let acts = 0
    const definition = workflow(async (context) => await context.step('a', step, async () => (acts += 1)))
    for (let round = 1; round <= 5; round += 1) {
      const first = await journal.engine([definition])
      await journal.idle()
      first.poke(await journal.enqueue(`w${round}`))
      await journal.stop(first)
      const second = await journal.engine([definition])
      await journal.until(`w${round}`, 'completed')
      expect(acts).toBe(round)
      await journal.stop(second)
    }
  })
}
