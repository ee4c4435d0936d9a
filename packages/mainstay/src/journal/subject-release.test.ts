import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { Json } from '../core/json.ts'
import { TestJournal } from './testing/start-journal.ts'
import type { WorkflowContext, WorkflowDefinition } from './workflow.ts'

let journal: TestJournal

beforeEach(async () => {
  journal = await TestJournal.open()
})

afterEach(async () => {
  await journal[Symbol.asyncDispose]()
})

const step = { timeoutMs: 600_000 }

function workflow(run: (context: WorkflowContext, input: Json) => Promise<Json>, name = 'test'): WorkflowDefinition {
  return { name, version: 1, run }
}

/** One that acts, lets others go first for a while, and acts again. */
function pausing(order: string[], { pauseMs, name = 'pausing' }: { pauseMs: number; name?: string }) {
  return workflow(async (context) => {
    await context.step('first', step, async () => void order.push(`${context.workflowId} 1`))
    await context.sleep('pause', pauseMs, { releases: 'subject' })
    await context.step('second', step, async () => void order.push(`${context.workflowId} 2`))
    return null
  }, name)
}

/** One that acts for so long. */
function busy(order: string[], forMs: number): WorkflowDefinition {
  return workflow(async (context) => {
    await context.step('act', step, async ({ signal }) => {
      order.push(`${context.workflowId} begins`)
      await context.clock.sleep(forMs, { signal })
      order.push(`${context.workflowId} ends`)
    })
    return null
  }, 'busy')
}

async function locks(): Promise<string[]> {
  const rows = await journal.store.read.selectFrom('workflow_locks').select(['name', 'workflow_id']).execute()
  return rows.map(({ name, workflow_id: id }) => `${name} ${id}`)
}

describe('a sleep that gives the subject back', () => {
  test.each([
    ['far longer than a workflow stays in memory', 120_000],
    ['shorter than that', 800],
  ])('lets the next workflow of the subject go first: a pause %s', async (_what, pauseMs) => {
    const order: string[] = []
    const engine = journal.engine([pausing(order, { pauseMs }), busy(order, 100)], { parkAfterMs: 5000 })
    await journal.enqueue('a', { subject: 'host', name: 'pausing' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    await engine.start()
    await journal.until('b', 'completed')
    expect((await journal.find('a')).status).toBe('waiting')
    expect(await locks()).toEqual([])
    await journal.until('a', 'completed', 1000)
    expect(order).toEqual(['a 1', 'b begins', 'b ends', 'a 2'])
  })

  test('goes on only when whoever has the subject by then has ended, and at once then', async () => {
    const order: string[] = []
    const engine = journal.engine([pausing(order, { pauseMs: 1000 }), busy(order, 60_000)])
    await journal.enqueue('a', { subject: 'host', name: 'pausing' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    await engine.start()
    await journal.untilTrue('b acts', () => order.includes('b begins'))
    await journal.clock.advance(30_000)
    expect(await journal.find('a')).toMatchObject({ status: 'waiting', fence: 1 })
    expect(await locks()).toEqual(['subject:host b'])
    const before = journal.clock.now()
    await journal.until('a', 'completed', 1000)
    expect(order).toEqual(['a 1', 'b begins', 'b ends', 'a 2'])
    expect(journal.clock.now() - before).toBeLessThanOrEqual(31_000)
  })

  test('does not keep the engine busy while it is over and another has the subject', async () => {
    const order: string[] = []
    const engine = journal.engine([pausing(order, { pauseMs: 1000 }), busy(order, 60_000)])
    await journal.enqueue('a', { subject: 'host', name: 'pausing' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    await engine.start()
    await journal.untilTrue('b acts', () => order.includes('b begins'))
    await journal.clock.advance(5000)
    let timers = 0
    const after = journal.clock.after.bind(journal.clock)
    journal.clock.after = (delayMs, wake) => {
      timers += 1
      return after(delayMs, wake)
    }
    await journal.clock.advance(10_000)
    // The beat of each second, and nothing for the one that cannot go on.
    expect(timers).toBeLessThanOrEqual(11)
  })

  test('goes before later ones that wait, once it is over', async () => {
    const order: string[] = []
    const engine = journal.engine([pausing(order, { pauseMs: 1000 }), busy(order, 5000)])
    await journal.enqueue('a', { subject: 'host', name: 'pausing' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    await journal.enqueue('c', { subject: 'host', name: 'busy' })
    await engine.start()
    await journal.until('c', 'completed', 500)
    expect(order).toEqual(['a 1', 'b begins', 'b ends', 'a 2', 'c begins', 'c ends'])
  })

  test('keeps the other locks of the workflow', async () => {
    const definition = workflow(async (context) => {
      const mine = await context.acquire('lock', 'reserved host')
      await context.sleep('pause', 60_000, { releases: 'subject' })
      return mine
    })
    const engine = journal.engine([definition])
    await journal.enqueue('a', { subject: 'host' })
    await engine.start()
    await journal.until('a', 'waiting')
    expect(await locks()).toEqual(['reserved host a'])
    await journal.until('a', 'completed', 1000)
    expect(await locks()).toEqual([])
  })

  test('an ordinary sleep keeps the subject', async () => {
    const order: string[] = []
    const sleeping = workflow(async (context) => await context.sleep('pause', 60_000).then(() => null), 'sleeping')
    const engine = journal.engine([sleeping, busy(order, 10)])
    await journal.enqueue('a', { subject: 'host', name: 'sleeping' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    await engine.start()
    await journal.until('a', 'waiting')
    await journal.clock.advance(30_000)
    expect((await journal.find('b')).status).toBe('pending')
    expect(await locks()).toEqual(['subject:host a'])
    await journal.until('b', 'completed', 1000)
  })

  test('waits for the steps beside it before the subject is given back', async () => {
    const order: string[] = []
    const slow = Promise.withResolvers<void>()
    const definition = workflow(async (context) => {
      await Promise.all([
        context.step('slow', step, async () => {
          await slow.promise
          order.push('a acted')
        }),
        context.sleep('pause', 60_000, { releases: 'subject' }),
      ])
      return null
    })
    const engine = journal.engine([definition, busy(order, 10)])
    await journal.enqueue('a', { subject: 'host' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    await engine.start()
    await journal.clock.advance(2000)
    expect(order).toEqual([])
    slow.resolve()
    await journal.until('b', 'completed')
    expect(order).toEqual(['a acted', 'b begins', 'b ends'])
  })

  test('cancelled meanwhile, it ends at once, also while another has the subject, whose lock stays', async () => {
    const order: string[] = []
    const engine = journal.engine([pausing(order, { pauseMs: 60_000 }), busy(order, 30_000)])
    await journal.enqueue('a', { subject: 'host', name: 'pausing' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    await engine.start()
    await journal.untilTrue('b acts', () => order.includes('b begins'))
    await journal.cancel('a', 'a test')
    engine.poke()
    await journal.until('a', 'cancelled')
    expect(await locks()).toEqual(['subject:host b'])
    await journal.until('b', 'completed', 1000)
    expect(order).toEqual(['a 1', 'b begins', 'b ends'])
  })

  test('signalled meanwhile, it does not go on beside whoever has the subject, and sleeps to its end', async () => {
    const order: string[] = []
    const engine = journal.engine([pausing(order, { pauseMs: 60_000 }), busy(order, 30_000)])
    await journal.enqueue('a', { subject: 'host', name: 'pausing' })
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    await engine.start()
    await journal.untilTrue('b acts', () => order.includes('b begins'))
    await journal.signal('a', 'anything')
    engine.poke()
    await journal.clock.advance(5000)
    expect(await journal.find('a')).toMatchObject({ status: 'waiting', fence: 1 })
    await journal.until('b', 'completed', 1000)
    await journal.clock.advance(2000)
    expect(await journal.find('a')).toMatchObject({ status: 'waiting', fence: 2 })
    expect(await locks()).toEqual([])
    await journal.until('a', 'completed', 1000)
    expect(order).toEqual(['a 1', 'b begins', 'b ends', 'a 2'])
  })

  test('handed over at shutdown in its second attempt, it keeps the subject from others', async () => {
    const order: string[] = []
    const definition = workflow(async (context) => {
      await context.sleep('pause', 1000, { releases: 'subject' })
      await context.step('act', step, async ({ signal, attempt }) => {
        order.push(`a ${attempt}`)
        if (order.length === 1) await context.clock.sleep(60_000, { signal })
      })
      return null
    })
    const engine = journal.engine([definition])
    await journal.enqueue('a', { subject: 'host' })
    await engine.start()
    await journal.untilTrue('a acts', () => order.length === 1)
    await journal.enqueue('b', { subject: 'host', name: 'busy' })
    const stopping = engine.stop()
    await journal.clock.advance(1000)
    await stopping
    expect(await locks()).toEqual(['subject:host a'])
    const next = journal.engine([definition, busy(order, 10)])
    await next.start()
    await journal.until('b', 'completed')
    expect(order).toEqual(['a 1', 'a 2', 'b begins', 'b ends'])
  })
})
