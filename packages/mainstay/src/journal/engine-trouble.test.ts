import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { createLogger } from '../core/logging.ts'
import { StoreConflictError, StoreFullError } from '../store/index.ts'
import { TestJournal } from './testing/start-journal.ts'
import { TroubledStore } from './testing/troubled-store.ts'
import type { WorkflowContext, WorkflowDefinition } from './workflow.ts'
import type { Json } from '../core/json.ts'

// Hours of a clock that is moved by hand take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

const second = { timeoutMs: 1000 }
const minute = { timeoutMs: 60_000 }

let journal: TestJournal

beforeEach(async () => {
  journal = await TestJournal.open()
})

afterEach(async () => {
  await journal[Symbol.asyncDispose]()
})

function workflow(run: (context: WorkflowContext, input: Json) => Promise<Json>, name = 'test'): WorkflowDefinition {
  return { name, version: 1, run }
}

function full(): Error {
  return new StoreFullError('The disk is full.')
}

describe('a store that refuses writes for a while', () => {
  test('lets workflows go and loses nothing: they go on when it takes writes again', async () => {
    const store = new TroubledStore(journal.store)
    const acts: string[] = []
    const gate = Promise.withResolvers<void>()
    const engine = journal.engine(
      [
        workflow(async (context) => {
          await context.step('before', second, async () => acts.push('before'))
          const answer = await context.step('during', minute, async ({ repeated }) => {
            acts.push(`during repeated=${repeated}`)
            await gate.promise
            return 'answer'
          })
          await context.decide('judge', 'a rule', answer, (given) => `${given}!`)
          return await context.step('after', second, async ({ repeated }) => `${answer} repeated=${repeated}`)
        }),
      ],
      { store },
    )
    await journal.enqueue('w')
    await engine.start()
    await journal.untilTrue('it acts', () => acts.length === 2)
    store.trouble = full
    gate.resolve()
    await journal.clock.advance(10_000)
    expect((await journal.find('w')).status).toBe('running')
    expect((await journal.history('w')).map(({ key }) => key)).toEqual(['before', 'before', 'during'])
    store.trouble = undefined
    expect(await journal.until('w', 'completed', 500)).toMatchObject({ result: 'answer repeated=false' })
    expect(acts).toEqual(['before', 'during repeated=false', 'during repeated=true'])
  })

  test('leaves a beginning of what was handed over: nothing that came after a lost record is on disk', async () => {
    const store = new TroubledStore(journal.store)
    let looks = 0
    let lose = true
    const engine = journal.engine(
      [
        workflow(async (context) => {
          // Each time the world looks different, as the guests of a host do.
          const seen = await context.step('look', second, async () => {
            looks += 1
            if (lose) store.trouble = full
            return looks
          })
          const verdict = await context.decide('judge', 'a rule', { seen }, (given) => given.seen * 10)
          return await context.step('act', { ...second, input: verdict }, async () => {
            return verdict
          })
        }),
      ],
      { store },
    )
    await journal.enqueue('w')
    await engine.start()
    await journal.untilTrue('the record of the look was lost', () => store.refused > 0)
    lose = false
    store.trouble = undefined
    expect(await journal.until('w', 'completed', 500)).toMatchObject({ result: 20, reason: null })
    expect((await journal.history('w')).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('does not make the engine run a workflow again and again meanwhile', async () => {
    let tries = 0
    const engine = journal.engine(
      [
        workflow(async (context) => {
          return await context.transact('change', null, async () => {
            tries += 1
            throw full()
          })
        }),
      ],
      { maxTroubleDelayMs: 30_000 },
    )
    await journal.enqueue('w')
    await engine.start()
    await journal.clock.advance(100_000)
    expect(tries).toBeGreaterThanOrEqual(5)
    expect(tries).toBeLessThanOrEqual(9)
    expect((await journal.find('w')).status).toBe('running')
  })
})

describe('a workflow that cannot be written about', () => {
  test('for what a step returned is failed at once, and its records are brought to their end', async () => {
    const ends: (string | null)[] = []
    let acts = 0
    const engine = journal.engine([
      {
        ...workflow(async (context) => {
          await context.step('count', second, async () => {
            acts += 1
            return 1n
          })
          await context.sleep('pause', 60_000)
          return null
        }),
        ended: async (_queries, { reason }) => void ends.push(reason),
      },
    ])
    await journal.enqueue('w')
    await engine.start()
    const { reason } = await journal.until('w', 'failed')
    expect(reason).toContain('BigInt')
    await journal.clock.advance(60_000)
    expect(acts).toBe(1)
    expect(ends).toEqual([reason])
  })

  test('does not take those with it that are written at the same moment', async () => {
    const engine = journal.engine([
      workflow(async (context) => await context.step('bad', second, async () => 1n).then(() => null), 'bad'),
      workflow(async (context) => await context.step('good', second, async () => 'good'), 'good'),
    ])
    for (const id of ['g1', 'b1', 'g2', 'b2', 'g3']) {
      await journal.enqueue(id, { name: id.startsWith('b') ? 'bad' : 'good' })
    }
    await engine.start()
    for (const id of ['g1', 'g2', 'g3']) {
      expect(await journal.until(id, 'completed')).toMatchObject({ result: 'good', fence: 1 })
    }
    for (const id of ['b1', 'b2']) expect((await journal.until(id, 'failed')).reason).toContain('BigInt')
  })

  test('because its end is refused is given up after some tries, with pauses between them, and its subject is free', async () => {
    const lines: string[] = []
    const logger = createLogger({ format: 'json', destination: { write: (line) => void lines.push(line) } })
    const ends: string[] = []
    const engine = journal.engine(
      [
        {
          ...workflow(async () => 'done'),
          ended: async (_queries, { workflowId }) => {
            ends.push(workflowId)
            if (workflowId === 'w') throw new TypeError('a defect at the end')
          },
        },
      ],
      { logger, maxTroubles: 3 },
    )
    await journal.enqueue('w', { subject: 'host' })
    await journal.enqueue('next', { subject: 'host' })
    await engine.start()
    await journal.clock.advance(500)
    expect(await journal.find('w')).toMatchObject({ status: 'running' })
    const { reason } = await journal.until('w', 'failed', 500)
    expect(reason).toBe('It was given up after 3 tries: a defect at the end')
    expect(ends.filter((id) => id === 'w')).toHaveLength(7)
    expect(await journal.until('next', 'completed')).toMatchObject({ result: 'done' })
    expect(lines.filter((line) => line.includes('It goes on later'))).toHaveLength(3)
    expect(lines.filter((line) => line.includes('Its records were left as they are'))).toHaveLength(1)
  })

  test('because its own change always conflicts fails in the end, and its records with it', async () => {
    const ends: string[] = []
    let tries = 0
    const engine = journal.engine(
      [
        {
          ...workflow(async (context) => {
            return await context.transact('change', null, async () => {
              tries += 1
              throw new StoreConflictError('That name is taken.')
            })
          }),
          ended: async (_queries, { status }) => void ends.push(status),
        },
      ],
      { maxTroubles: 2 },
    )
    await journal.enqueue('w')
    await engine.start()
    expect((await journal.until('w', 'failed', 500)).reason).toContain('That name is taken.')
    expect(tries).toBe(2)
    expect(ends).toEqual(['failed'])
  })

  test('holds a reason that no database can hold as it is', async () => {
    const engine = journal.engine([
      workflow(async (context) => {
        const held = `printed \0 and half of \u{1F600}`.slice(0, -1)
        await context.waitForSignal('ask', { names: ['go'], timeoutMs: 60_000, held })
        return null
      }),
    ])
    await journal.enqueue('w')
    await engine.start()
    expect((await journal.until('w', 'held')).reason).toBe('printed \uFFFD and half of \uFFFD')
  })
})

describe('branches of one workflow', () => {
  test('begin no act once another branch has parked the workflow', async () => {
    const acts: string[] = []
    const engine = journal.engine([
      workflow(async (context) => {
        const retry = { attempts: 3, minDelayMs: 1000, maxDelayMs: 1000 }
        const [value] = await Promise.all([
          context.step('flaky', { ...second, retry }, async ({ attempt }) => {
            acts.push(`attempt ${attempt} at ${journal.clock.now() - context.createdAt}`)
            if (attempt === 1) throw full()
            return 'done'
          }),
          context.sleep('short', 500).then(async () => await context.sleep('pause', 30_000)),
        ])
        return value
      }),
    ])
    await journal.enqueue('w')
    await engine.start()
    await journal.until('w', 'waiting')
    await journal.clock.advance(20_000)
    expect(acts).toHaveLength(1)
    expect((await journal.history('w')).map(({ kind, key }) => `${kind} ${key}`)).toEqual([
      'intent flaky',
      'timer short',
      'failure flaky',
      'timer pause',
    ])
    expect(await journal.until('w', 'completed', 1000)).toMatchObject({ result: 'done' })
    expect(acts).toHaveLength(2)
  })

  test('that swallow why they are to leave do not make the workflow complete', async () => {
    const engine = journal.engine([
      workflow(async (context) => {
        try {
          await context.sleep('pause', 60_000)
        } catch {
          return 'swallowed'
        }
        return 'slept'
      }),
    ])
    await journal.enqueue('w')
    await engine.start()
    await journal.until('w', 'waiting')
    expect(await journal.until('w', 'completed', 1000)).toMatchObject({ result: 'slept' })
  })
})

describe('cancelling', () => {
  test('ends a workflow that waits for its subject at once, without running it', async () => {
    let runs = 0
    const ends: string[] = []
    const engine = journal.engine([
      {
        ...workflow(async (context) => {
          runs += 1
          await context.waitForSignal('ask', { names: ['go'], timeoutMs: 600_000 })
          return null
        }),
        ended: async (_queries, { workflowId, status }) => void ends.push(`${workflowId} ${status}`),
      },
    ])
    await journal.enqueue('first', { subject: 'host' })
    await engine.start()
    await journal.until('first', 'waiting')
    await journal.enqueue('second', { subject: 'host' })
    await journal.enqueue('third', { subject: 'host' })
    await journal.cancel('second', 'not needed')
    engine.poke()
    expect((await journal.until('second', 'cancelled')).reason).toContain('not needed')
    expect([runs, ends]).toEqual([1, ['second cancelled']])
    await journal.signal('first', 'go')
    engine.poke()
    await journal.until('first', 'completed')
    await journal.until('third', 'waiting')
    expect(runs).toBe(3)
  })

  test('aborts the step that runs, also one that ignores its signal', async () => {
    const deaf = Promise.withResolvers<string>()
    let aborted: unknown
    const engine = journal.engine([
      workflow(async (context) => {
        return await context.step('deaf', { timeoutMs: 600_000 }, async ({ signal }) => {
          signal.addEventListener('abort', () => (aborted = signal.reason))
          return await deaf.promise
        })
      }),
    ])
    await journal.enqueue('w')
    await engine.start()
    await journal.untilTrue('it acts', async () => (await journal.history('w')).length === 1)
    await journal.cancel('w', 'enough')
    await journal.until('w', 'cancelled')
    expect(aborted).toMatchObject({ code: 'MS_WORKFLOW_CANCELLED' })
    deaf.resolve('too late')
    await journal.clock.advance(2000)
    expect((await journal.history('w')).map(({ kind }) => kind)).toEqual(['intent'])
  })
})

describe('signals', () => {
  test('that arrive while the workflow is on its way to sleep wake it', async () => {
    // The signal is stored between the moment at which the workflow looked for one and the one at which it is parked.
    const store = new TroubledStore(journal.store)
    const write = store.write.bind(store)
    let sent = false
    let looked = false
    store.write = async (work) => {
      if (looked && !sent) {
        sent = true
        await journal.signal('w', 'go', 'in time')
      }
      return await write(work)
    }
    const engine = journal.engine(
      [
        workflow(async (context) => {
          await context.step('before', second, async () => null)
          looked = true
          const signal = await context.waitForSignal('ask', { names: ['go'], timeoutMs: 600_000, held: 'why' })
          return signal?.data ?? null
        }),
      ],
      { store, pollMs: 600_000, leaseMs: 3_000_000 },
    )
    await journal.enqueue('w')
    await engine.start()
    expect(await journal.until('w', 'completed')).toMatchObject({ result: 'in time' })
    expect(sent).toBe(true)
  })

  test('of one name are taken in the order in which they were sent, each once, also after a crash', async () => {
    const definition = workflow(async (context) => {
      const taken: Json[] = []
      for (const turn of [1, 2, 3]) {
        const signal = await context.waitForSignal(`ask ${turn}`, { names: ['go'], timeoutMs: 600_000 })
        taken.push(signal?.data ?? null)
      }
      return taken
    })
    const first = journal.engine([definition])
    await journal.enqueue('w')
    await journal.signal('w', 'go', 'a')
    await journal.signal('w', 'go', 'b')
    await first.start()
    await journal.until('w', 'waiting')
    const second = journal.engine([definition], { exclusive: true })
    await second.start()
    await journal.signal('w', 'go', 'c')
    second.poke()
    expect(await journal.until('w', 'completed')).toMatchObject({ result: ['a', 'b', 'c'] })
  })
})

describe('an engine that is stopped', () => {
  test('hands back what it was just about to begin', async () => {
    const store = new TroubledStore(journal.store)
    const write = store.write.bind(store)
    const claiming = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    let hold = false
    store.write = async (work) => {
      if (hold) {
        hold = false
        claiming.resolve()
        await go.promise
      }
      return await write(work)
    }
    let acts = 0
    const engine = journal.engine(
      [workflow(async (context) => await context.step('act', minute, async () => (acts += 1)))],
      {
        store,
      },
    )
    await engine.start()
    await journal.clock.advance(50)
    await journal.enqueue('w')
    hold = true
    engine.poke()
    await claiming.promise
    const stopping = engine.stop()
    go.resolve()
    await journal.clock.advance(100)
    await stopping
    expect(acts).toBe(0)
    expect(await journal.find('w')).toMatchObject({ status: 'waiting', owner: null })
  })

  test('does not wait for ever for a workflow that listens to nothing', async () => {
    const engine = journal.engine([workflow(async () => await new Promise(() => {}))], { stopTimeoutMs: 2000 })
    await journal.enqueue('w')
    await engine.start()
    await journal.clock.advance(50)
    const stopping = engine.stop()
    await journal.clock.advance(3000)
    await stopping
    expect((await journal.find('w')).status).toBe('running')
  })
})

describe('an engine that lost its lease', () => {
  test('does not run a workflow beside its own run of it that has not left yet', async () => {
    const store = new TroubledStore(journal.store)
    const write = store.write.bind(store)
    const slow = Promise.withResolvers<void>()
    let hold = false
    let inside = 0
    let most = 0
    store.write = async (work) => {
      if (hold) {
        hold = false
        await slow.promise
      }
      return await write(work)
    }
    const engine = journal.engine(
      [
        workflow(async (context) => {
          inside += 1
          hold = most === 0
          most = Math.max(most, inside)
          try {
            return await context.transact('slow', null, async () => 'done')
          } finally {
            inside -= 1
          }
        }),
      ],
      { store },
    )
    await engine.start()
    await journal.enqueue('w')
    await journal.untilTrue('its transaction hangs', () => inside === 1 && !hold)
    await journal.store.write((queries) => queries.deleteFrom('engines').execute())
    await journal.clock.advance(5000)
    slow.resolve()
    expect(await journal.until('w', 'completed')).toMatchObject({ result: 'done' })
    expect(most).toBe(1)
  })
})

describe('two engines in one process', () => {
  test('share the work on one store and do each piece once', async () => {
    const acts = new Map<string, number>()
    const definition = workflow(async (context) => {
      await context.step('act', second, async ({ key }) => acts.set(key, (acts.get(key) ?? 0) + 1).size)
      await context.sleep('pause', 7000)
      return await context.step('again', second, async ({ key }) => acts.set(key, (acts.get(key) ?? 0) + 1).size)
    })
    const engines = [1, 2].map(() => journal.engine([definition], { maxConcurrent: 8 }))
    for (let count = 0; count < 40; count += 1) await journal.enqueue(`w${count}`)
    await Promise.all(engines.map(async (engine) => await engine.start()))
    for (let count = 0; count < 40; count += 1) await journal.until(`w${count}`, 'completed', 200)
    expect(acts.size).toBe(80)
    expect([...acts.values()].every((count) => count === 1)).toBe(true)
  })
})

describe('a long history', () => {
  test('of ten thousand steps is gone through again without asking for anything', async () => {
    let acts = 0
    const definition = workflow(async (context, input) => {
      const count = Number(input)
      await Promise.all(
        Array.from({ length: count }, (_, at) => context.step(`s${at}`, second, async () => (acts += 1))),
      )
      await context.waitForSignal('ask', { names: ['go'], timeoutMs: 600_000 })
      return count
    })
    const first = journal.engine([definition])
    await journal.enqueue('w', { input: 10_000 })
    await first.start()
    await journal.until('w', 'waiting', 1)
    await journal.signal('w', 'go')
    first.poke()
    await journal.until('w', 'completed', 1)
    expect(acts).toBe(10_000)
    const seqs = (await journal.history('w')).map(({ seq }) => seq)
    expect(seqs).toEqual(Array.from({ length: 20_002 }, (_, at) => at + 1))
  })
})
