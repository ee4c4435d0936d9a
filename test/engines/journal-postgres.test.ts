import { describe, expect, test } from 'vitest'

import { ManualClock, SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { toJson, type Json } from '../../packages/mainstay/src/core/json.ts'
import {
  cancelWorkflow,
  workflowHistory,
  type WorkflowContext,
  type WorkflowDefinition,
} from '../../packages/mainstay/src/journal/index.ts'
import { readOutbox } from '../../packages/mainstay/src/store/index.ts'
import { PATIENCE_MS, POLL_MS, PostgresJournal } from './support/postgres-journal.ts'
import { usePostgres } from './support/shared-postgres.ts'

const clock = new SystemClock()
const step = { timeoutMs: 30_000 }

const database = usePostgres()

function workflow(run: (context: WorkflowContext, input: Json) => Promise<Json>, name = 'test'): WorkflowDefinition {
  return { name, version: 1, run }
}

describe('the journal on PostgreSQL', () => {
  test('completes workflows of every kind of entry, many at the same time, their histories without gaps', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    const definition = workflow(async (context, input) => {
      const one = await context.step('one', step, async ({ progress }) => {
        progress(0.5, 'half \0 of it')
        return toJson(input)
      })
      const two = await context.transact('two', one, async (queries, at) => {
        const lock = { name: `proof ${context.workflowId}`, workflow_id: 'proof', at }
        await queries.insertInto('workflow_locks').values(lock).execute()
        return `${one}+`
      })
      await context.time('now')
      const three = await context.decide('three', 'a rule', { two }, (given) => `${given.two}!`)
      await context.sleep('pause', 5)
      const locked = await context.acquire('lock', `lock ${context.workflowId}`)
      return [three, locked]
    })
    for (let count = 0; count < 30; count += 1) await journal.enqueue(`w${count}`, { input: count })
    await journal.engine([definition])
    for (let count = 0; count < 30; count += 1) {
      const id = `w${count}`
      expect(await journal.until(id, 'completed')).toMatchObject({ result: [`${count}+!`, true], owner: null })
      const seqs = (await workflowHistory(journal.store.read, id)).map(({ seq }) => seq)
      expect(seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    }
    const locks = await journal.store.read.selectFrom('workflow_locks').select('name').execute()
    expect(locks.filter(({ name }) => !name.startsWith('proof'))).toEqual([])
    expect(locks).toHaveLength(30)
  })

  test('takes over from a silent engine at the first look after its lease and not before, and goes on from the history', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    // By hand, so that a busy machine is no excuse for taking over late.
    const hand = new ManualClock(clock.now())
    const acts: string[] = []
    const definition = workflow(async (context) => {
      const one = await context.step('one', step, async () => 'not this')
      return await context.step('two', { ...step, input: one }, async ({ fence, repeated, key }) => {
        acts.push(`${key} fence=${fence} repeated=${repeated}`)
        return one
      })
    })
    await journal.enqueue('w')
    const leaseUntil = hand.now() + 1500
    await journal.giveTo('silent', 'w', leaseUntil)
    await journal.store.write(async (queries) => {
      const entry = (seq: number, kind: string, key: string, data: string): Record<string, string | number> => {
        return { workflow_id: 'w', seq, kind, key, data, fence: 1, at: 0 }
      }
      const rows = [
        entry(1, 'intent', 'one', '{"input":null,"attempt":1}'),
        entry(2, 'outcome', 'one', '{"output":"from before","attempt":1}'),
        entry(3, 'intent', 'two', '{"input":"from before","attempt":1}'),
      ]
      await queries
        .insertInto('workflow_history')
        .values(rows as never)
        .execute()
    })
    await journal.engine([definition], { clock: hand })
    await journal.idle()
    while (hand.now() < leaseUntil + 10 * POLL_MS) {
      await hand.advance(POLL_MS)
      await journal.idle()
    }
    expect(await journal.find('w')).toMatchObject({ status: 'completed', result: 'from before', fence: 2 })
    expect(acts).toEqual(['w/two fence=2 repeated=true'])
    const taken = (await workflowHistory(journal.store.read, 'w')).find(({ fence }) => fence === 2)!
    expect(taken.at).toBeGreaterThan(leaseUntil)
    expect(taken.at).toBeLessThanOrEqual(leaseUntil + POLL_MS)
  })

  test('lets two engines run one workflow of a subject at a time, in order of arrival', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    const order: string[] = []
    let inside = 0
    let most = 0
    const definition = workflow(async (context, input) => {
      return await context.step('act', step, async ({ signal }) => {
        most = Math.max(most, (inside += 1))
        order.push(toJson(input))
        await clock.sleep(10, { signal })
        inside -= 1
        return null
      })
    })
    for (let count = 0; count < 8; count += 1) {
      await journal.enqueue(`w${count}`, { subject: 'host', input: count })
    }
    await Promise.all([journal.engine([definition]), journal.engine([definition])])
    for (let count = 0; count < 8; count += 1) await journal.until(`w${count}`, 'completed')
    expect(most).toBe(1)
    expect(order).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
  })

  test('lets others of the subject go first while one sleeps that gave it back, and takes it again after them', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    const order: string[] = []
    const go = Promise.withResolvers<void>()
    const pausing = workflow(async (context) => {
      await context.acquire('lock', 'of its own')
      await context.sleep('pause', 100, { releases: 'subject' })
      order.push('a goes on')
      return null
    }, 'pausing')
    const busy = workflow(async (context) => {
      await context.step('act', step, async () => {
        order.push(`${context.workflowId} acts`)
        await go.promise
      })
      return null
    }, 'busy')
    const locks = async (): Promise<string[]> => {
      const rows = await journal.store.read.selectFrom('workflow_locks').select(['name', 'workflow_id']).execute()
      return rows.map(({ name, workflow_id: id }) => `${name} ${id}`).toSorted()
    }
    await journal.enqueue('a', { subject: 'host', name: 'pausing' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    const engines = [await journal.engine([pausing, busy]), await journal.engine([pausing, busy])]
    await expect.poll(() => order, { timeout: PATIENCE_MS }).toEqual(['b acts'])
    const { wakeAt } = (await journal.find('a'))!
    await expect.poll(() => clock.now(), { timeout: PATIENCE_MS }).toBeGreaterThan(wakeAt! + 300)
    await journal.signal('a', 'anything', null)
    for (const engine of engines) engine.poke()
    await journal.enqueue('c', { subject: 'host', name: 'busy' })
    expect(await journal.find('a')).toMatchObject({ status: 'waiting', fence: 1 })
    expect(await locks()).toEqual(['of its own a', 'subject:host b'])
    go.resolve()
    await journal.until('c', 'completed')
    expect(order).toEqual(['b acts', 'a goes on', 'c acts'])
    expect(await locks()).toEqual([])
  })

  test('never lets two of a subject act together, however often they give it back, with three engines', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    const inside = new Map<string, string>()
    const together: string[] = []
    const definition = workflow(async (context, input) => {
      const subject = toJson(input)
      for (let round = 0; round < 6; round += 1) {
        await context.step(`act ${round}`, step, async ({ signal }) => {
          const other = inside.get(subject)
          if (other !== undefined) together.push(`${context.workflowId} beside ${other}`)
          inside.set(subject, context.workflowId)
          await clock.sleep(2, { signal })
          inside.delete(subject)
        })
        await context.sleep(`pause ${round}`, 1 + (round % 3), { releases: 'subject' })
      }
      return null
    })
    const names = Array.from({ length: 8 }, (_, number) => `w${number}`)
    for (const [at, id] of names.entries()) await journal.enqueue(id, { subject: `host ${at % 2}`, input: at % 2 })
    for (let engine = 0; engine < 3; engine += 1) await journal.engine([definition])
    for (const id of names) await journal.until(id, 'completed')
    expect(together).toEqual([])
    expect(await journal.store.read.selectFrom('workflow_locks').selectAll().execute()).toEqual([])
  })

  test('holds a workflow for a person, with any reason, until it is signalled or its time is over', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    const definition = workflow(async (context, input) => {
      const held = `because it printed \0 and \u{1F600}`.slice(0, -1)
      const signal = await context.waitForSignal('ask', { names: ['go'], timeoutMs: Number(input), held })
      return signal === undefined ? 'nobody came' : signal.data
    })
    await journal.enqueue('asked', { input: 60_000 })
    await journal.enqueue('alone', { input: 300 })
    const engine = await journal.engine([definition])
    expect((await journal.until('asked', 'held')).reason).toBe('because it printed \uFFFD and \uFFFD')
    await journal.signal('asked', 'other', null)
    await journal.signal('asked', 'go', { who: 'ops' })
    engine.poke()
    expect(await journal.until('asked', 'completed')).toMatchObject({ result: { who: 'ops' } })
    expect(await journal.until('alone', 'completed')).toMatchObject({ result: 'nobody came' })
  })

  test('cancels what runs, and what waits for its subject without running it', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    const acts: string[] = []
    const ends: string[] = []
    const definition: WorkflowDefinition = {
      ...workflow(async (context) => {
        return await context.step('act', step, async ({ signal }) => {
          acts.push(context.workflowId)
          await clock.sleep(20_000, { signal })
          return null
        })
      }),
      ended: async (_queries, { workflowId, status }) => void ends.push(`${workflowId} ${status}`),
    }
    await journal.enqueue('first', { subject: 'host' })
    await journal.enqueue('second', { subject: 'host' })
    await journal.engine([definition])
    await expect.poll(() => acts, { timeout: PATIENCE_MS }).toEqual(['first'])
    const cancel = async (workflowId: string): Promise<void> => {
      await journal.store.write((queries) => cancelWorkflow(queries, { workflowId, reason: 'not needed' }, clock.now()))
    }
    await cancel('second')
    expect((await journal.until('second', 'cancelled')).reason).toContain('not needed')
    await cancel('first')
    await journal.until('first', 'cancelled')
    expect(acts).toEqual(['first'])
    expect(ends).toEqual(['second cancelled', 'first cancelled'])
  })

  test('makes a change of our own and its record as one: a throw leaves neither', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    const definition = workflow(async (context) => {
      return await context.transact('change', null, async (queries, at) => {
        await queries.insertInto('workflow_locks').values({ name: 'mine', workflow_id: 'proof', at }).execute()
        throw new TypeError('after the change')
      })
    })
    await journal.enqueue('w')
    await journal.engine([definition])
    expect((await journal.until('w', 'failed')).reason).toContain('after the change')
    expect(await journal.store.read.selectFrom('workflow_locks').select('name').execute()).toEqual([])
    expect(await workflowHistory(journal.store.read, 'w')).toEqual([])
  })

  test('refuses what a late owner writes: records, changes of our own and the end', async (ctx) => {
    await using journal = await PostgresJournal.open(await database(ctx))
    const late = Promise.withResolvers<void>()
    const done: string[] = []
    const definition: WorkflowDefinition = {
      ...workflow(async (context) => {
        const who = await context.step('who', step, async ({ fence }) => {
          if (fence === 1) await late.promise
          return fence
        })
        await context.transact('change', null, async (queries, at) => {
          const lock = { name: `changed by ${who}`, workflow_id: 'proof', at }
          await queries.insertInto('workflow_locks').values(lock).execute()
          done.push(`changed by ${who}`)
        })
        return who
      }),
      ended: async (_queries, { result }) => void done.push(`ended by ${toJson(result)}`),
    }
    await journal.enqueue('w')
    await journal.engine([definition])
    await expect
      .poll(async () => (await workflowHistory(journal.store.read, 'w')).length, { timeout: PATIENCE_MS })
      .toBe(1)
    // Another engine owns it now; the first one is not told.
    await journal.giveTo('other', 'w', clock.now() + 60_000)
    await journal.store.write((queries) => queries.updateTable('workflows').set({ fence: 2 }).execute())
    const before = await journal.find('w')
    late.resolve()
    const tasks = (): string[] => journal.tasks.flatMap((each) => each.names())
    await expect.poll(tasks, { timeout: PATIENCE_MS }).not.toContain('workflow test w')
    expect(await journal.find('w')).toEqual(before)
    expect((await workflowHistory(journal.store.read, 'w')).map(({ kind }) => kind)).toEqual(['intent'])
    const locks = await journal.store.read.selectFrom('workflow_locks').select('name').execute()
    expect(locks).toEqual([{ name: 'subject:w' }])
    // The other engine dies; whoever goes on does it all with its own token.
    await journal.store.write((queries) => queries.deleteFrom('engines').where('id', '=', 'other').execute())
    expect(await journal.until('w', 'completed')).toMatchObject({ result: 3, fence: 3 })
    expect(done.filter((what) => what.startsWith('ended'))).toEqual(['ended by 3'])
  })
})

test('what is told of a history is written with it, in its order, whoever wrote what', async (ctx) => {
  await using journal = await PostgresJournal.open(await database(ctx))
  const busy: WorkflowDefinition = {
    name: 'test',
    version: 1,
    run: async (context) => {
      await context.decide('which', 'a rule', null, () => 'this')
      await Promise.all(
        ['a', 'b', 'c'].map((key) => context.step(key, step, async (attempt) => attempt.progress(1, key))),
      )
      await context.transact('ours', null, async () => 'nothing')
      await context.sleep('pause', 1)
      return await context.step('last', step, async () => ({ nul: '\0', half: '\uD800' }))
    },
    tell: ({ kind, seq, at, data }, { workflowId }) => ({
      id: `${workflowId}/${seq}`,
      type: kind,
      severity: 'info',
      occurredAt: at,
      nodeName: null,
      resourceId: workflowId,
      projectId: null,
      correlationId: null,
      payload: { data: data as Json },
    }),
  }
  for (let engine = 0; engine < 3; engine += 1) await journal.engine([busy])
  const names = Array.from({ length: 12 }, (_, number) => `w-${number}`)
  await Promise.all(names.map((id) => journal.enqueue(id)))
  for (const id of names) await journal.until(id, 'completed')
  const waiting = await readOutbox(journal.store.read, 10_000)
  for (const id of names) {
    const told = waiting.filter(({ event }) => event.resourceId === id).map(({ event }) => `${event.id} ${event.type}`)
    const entries = await workflowHistory(journal.store.read, id)
    expect(told).toEqual(entries.map(({ seq, kind }) => `${id}/${seq} ${kind}`))
    expect(told.length).toBeGreaterThan(10)
  }
})
