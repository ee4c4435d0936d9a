import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { MainstayError } from '../core/errors.ts'
import { SeededIds } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import { silentLogger } from '../core/logging.ts'
import { Metrics } from '../core/metrics.ts'
import { SeededRandom } from '../core/random.ts'
import { TaskGroup } from '../core/task-group.ts'
import { SqliteStore, type Store } from '../store/index.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { cancelWorkflow, enqueueWorkflow, signalWorkflow } from './enqueue.ts'
import { StepFailedError } from './errors.ts'
import { findWorkflow, workflowHistory, type WorkflowSummary } from './inspect.ts'
import type { WorkflowContext, WorkflowDefinition } from './workflow.ts'

class FlakyError extends MainstayError {
  readonly code = 'MS_TEST_FLAKY'
  readonly status = 503
  readonly retryable = true
}

let directory: string
let store: Store
let clock: ManualClock
let ids: SeededIds
const engines: Engine[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-journal-'))
  store = SqliteStore.open({ path: join(directory, 'journal.db') })
  await store.migrate()
  clock = new ManualClock()
  ids = new SeededIds(new SeededRandom(1))
})

afterEach(async () => {
  await Promise.all(
    engines.splice(0).map(async (engine) => {
      const stopping = engine.stop()
      await clock.advance(1000)
      await stopping
    }),
  )
  await store.close()
  await rm(directory, { recursive: true })
})

function engineFor(definitions: readonly WorkflowDefinition[], options: EngineOptions = {}): Engine {
  const logger = silentLogger()
  const tasks = new TaskGroup({ clock, logger })
  const engine = new Engine(
    { store, clock, ids, tasks, logger, metrics: new Metrics(), random: new SeededRandom(2) },
    options,
  )
  for (const definition of definitions) engine.register(definition)
  engines.push(engine)
  return engine
}

function workflow(run: (context: WorkflowContext, input: Json) => Promise<Json>, name = 'test'): WorkflowDefinition {
  return { name, version: 1, run }
}

async function enqueue(id: string, { subject = id, name = 'test', input = null as Json } = {}): Promise<void> {
  await store.write((queries) => enqueueWorkflow(queries, { id, name, version: 1, subject, input }, clock.now()))
}

async function status(id: string): Promise<WorkflowSummary> {
  const found = await findWorkflow(store.read, id)
  if (found === undefined) throw new Error(`no workflow ${id}`)
  return found
}

async function until(id: string, wanted: WorkflowSummary['status'], within = 50): Promise<WorkflowSummary> {
  for (let turn = 0; turn < within; turn += 1) {
    const found = await status(id)
    if (found.status === wanted) return found
    await clock.advance(20)
  }
  throw new Error(`workflow ${id} is ${(await status(id)).status}, not ${wanted}`)
}

const second = { timeoutMs: 1000 }

describe('a workflow', () => {
  test('writes an intent before each act and an outcome after it, and completes with its result', async () => {
    const seen: string[] = []
    const engine = engineFor([
      workflow(async (context) => {
        const one = await context.step('one', { ...second, input: { a: 1 } }, async () => {
          seen.push((await workflowHistory(store.read, 'w')).map((entry) => entry.kind).join(' '))
          return 1
        })
        return await context.step('two', { ...second, input: one }, async () => one + 1)
      }),
    ])
    await enqueue('w')
    await engine.start()
    expect(await until('w', 'completed')).toMatchObject({ result: 2, fence: 1, owner: null })
    const history = await workflowHistory(store.read, 'w')
    expect(seen).toEqual(['intent'])
    expect(history.map(({ seq, kind, key }) => [seq, kind, key])).toEqual([
      [1, 'intent', 'one'],
      [2, 'outcome', 'one'],
      [3, 'intent', 'two'],
      [4, 'outcome', 'two'],
    ])
  })

  test('goes on after its engine died: recorded outcomes are not repeated, an open intent is, and is told so', async () => {
    const acts: string[] = []
    let stuck = true
    const definition = workflow(async (context) => {
      await context.step('first', second, async () => acts.push('first'))
      return await context.step('second', { timeoutMs: 60_000 }, async ({ repeated, fence }) => {
        acts.push(`second repeated=${repeated} fence=${fence}`)
        if (stuck) await new Promise(() => {})
        return 'done'
      })
    })
    const dead = engineFor([definition])
    await enqueue('w')
    await dead.start()
    await clock.advance(100)
    stuck = false
    const next = engineFor([definition], { exclusive: true })
    await next.start()
    expect(await until('w', 'completed')).toMatchObject({ result: 'done', fence: 2 })
    expect(acts).toEqual(['first', 'second repeated=false fence=1', 'second repeated=true fence=2'])
  })

  test('refuses the writes of an owner that was only paused', async () => {
    const late = Promise.withResolvers<string>()
    let first = true
    const definition = workflow(async (context) => {
      return await context.step('act', { timeoutMs: 60_000 }, async () => {
        if (!first) return 'the new owner'
        first = false
        return await late.promise
      })
    })
    const paused = engineFor([definition])
    await enqueue('w')
    await paused.start()
    await clock.advance(100)
    const next = engineFor([definition], { exclusive: true })
    await next.start()
    await until('w', 'completed')
    late.resolve('the late owner')
    await clock.advance(100)
    expect(await status('w')).toMatchObject({ result: 'the new owner', fence: 2 })
    const outcomes = (await workflowHistory(store.read, 'w')).filter((entry) => entry.kind === 'outcome')
    expect(outcomes).toMatchObject([{ data: { output: 'the new owner' }, fence: 2 }])
  })

  test('is stopped when it takes another path than the one written down', async () => {
    let version = 1
    const definition = workflow(async (context) => {
      await context.step('begin', { ...second, input: version }, async () => null)
      await context.sleep('pause', 60_000)
      return null
    })
    const engine = engineFor([definition])
    await enqueue('w')
    await engine.start()
    await until('w', 'waiting')
    version = 2
    await clock.advance(61_000)
    const ended = await until('w', 'failed')
    expect(ended.reason).toContain('its input was 1 and is 2')
  })

  test('fails loudly when a recorded step is not asked for any more', async () => {
    let skip = false
    const definition = workflow(async (context) => {
      if (!skip) await context.step('gone', second, async () => null)
      await context.sleep('pause', 60_000)
      return null
    })
    const engine = engineFor([definition])
    await enqueue('w')
    await engine.start()
    await until('w', 'waiting')
    skip = true
    await clock.advance(61_000)
    expect((await until('w', 'failed')).reason).toContain('"gone"')
  })
})

describe('a step', () => {
  test('is tried again with growing pauses while its error says that it can help', async () => {
    const times: number[] = []
    const retry = { attempts: 3, minDelayMs: 100, maxDelayMs: 1000 }
    const engine = engineFor([
      workflow(async (context) => {
        return await context.step('flaky', { ...second, retry }, async ({ attempt }) => {
          times.push(clock.now())
          if (attempt < 3) throw new FlakyError('not yet')
          return attempt
        })
      }),
    ])
    await enqueue('w')
    await engine.start()
    expect(await until('w', 'completed')).toMatchObject({ result: 3 })
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(100)
    const history = await workflowHistory(store.read, 'w')
    expect(history.map((entry) => entry.kind)).toEqual(['intent', 'failure', 'intent', 'failure', 'intent', 'outcome'])
  })

  test('gives the same error on a replay as when it happened', async () => {
    const caught: string[] = []
    const engine = engineFor([
      workflow(async (context) => {
        try {
          await context.step('broken', second, async () => {
            throw new FlakyError('no')
          })
        } catch (error) {
          if (!(error instanceof StepFailedError)) throw error
          caught.push(`${error.step} ${error.failedCode} ${error.failedMessage}`)
        }
        await context.sleep('pause', 60_000)
        return null
      }),
    ])
    await enqueue('w')
    await engine.start()
    await until('w', 'waiting')
    await clock.advance(61_000)
    await until('w', 'completed')
    expect(caught).toEqual(['broken MS_TEST_FLAKY no', 'broken MS_TEST_FLAKY no'])
  })

  test('ends at its time-out even when it ignores its signal', async () => {
    const engine = engineFor([
      workflow(
        async (context) => await context.step('deaf', { timeoutMs: 500 }, async () => await new Promise(() => {})),
      ),
    ])
    await enqueue('w')
    await engine.start()
    expect((await until('w', 'failed')).reason).toContain('longer than 500 ms')
  })

  test('that runs beside others is waited for when one of them parks', async () => {
    const slow = Promise.withResolvers<string>()
    const engine = engineFor([
      workflow(async (context) => {
        const [a] = await Promise.all([
          context.step('slow', { timeoutMs: 60_000 }, async () => await slow.promise),
          context.sleep('pause', 60_000),
        ])
        return a
      }),
    ])
    await enqueue('w')
    await engine.start()
    await clock.advance(100)
    expect((await status('w')).status).toBe('running')
    slow.resolve('was not lost')
    await until('w', 'waiting')
    await clock.advance(61_000)
    expect(await until('w', 'completed')).toMatchObject({ result: 'was not lost' })
  })
})

describe('a transaction', () => {
  test('changes our own tables and records it as one: a throw leaves neither', async () => {
    const engine = engineFor([
      workflow(async (context) => {
        return await context.transact('lock', null, async (queries, now) => {
          await queries.insertInto('workflow_locks').values({ name: 'mine', workflow_id: 'x', at: now }).execute()
          throw new FlakyError('after the change')
        })
      }),
    ])
    await enqueue('w')
    await engine.start()
    await until('w', 'failed')
    const locks = await store.read.selectFrom('workflow_locks').select('name').execute()
    expect(locks).toEqual([])
    expect(await workflowHistory(store.read, 'w')).toEqual([])
  })
})

describe('a workflow that waits', () => {
  const waiting = workflow(async (context) => {
    const signal = await context.waitForSignal('ask', {
      names: ['go', 'stop'],
      timeoutMs: 60_000,
      held: 'needs a person',
    })
    return signal === undefined ? 'nobody came' : `${signal.name} ${JSON.stringify(signal.data)}`
  })

  test('is held with its reason and goes on with the signal it is sent', async () => {
    const engine = engineFor([waiting])
    await enqueue('w')
    await engine.start()
    expect(await until('w', 'held')).toMatchObject({ reason: 'needs a person', owner: null })
    await store.write((queries) =>
      signalWorkflow(queries, { id: 's1', workflowId: 'w', name: 'go', data: { who: 'ops' } }, clock.now()),
    )
    engine.poke()
    expect(await until('w', 'completed')).toMatchObject({ result: 'go {"who":"ops"}' })
  })

  test('takes a signal that came before it asked', async () => {
    const engine = engineFor([waiting])
    await enqueue('w')
    await store.write((queries) =>
      signalWorkflow(queries, { id: 's1', workflowId: 'w', name: 'stop', data: null }, clock.now()),
    )
    await engine.start()
    expect(await until('w', 'completed')).toMatchObject({ result: 'stop null' })
  })

  test('goes on without one after its time-out, and not before', async () => {
    const engine = engineFor([waiting])
    await enqueue('w')
    await engine.start()
    await until('w', 'held')
    await clock.advance(59_000)
    expect((await status('w')).status).toBe('held')
    await clock.advance(2000)
    expect(await until('w', 'completed')).toMatchObject({ result: 'nobody came' })
  })

  test('stays cancelled, with the final word told to its owner in the same transaction', async () => {
    const ends: string[] = []
    const engine = engineFor([
      {
        ...waiting,
        ended: async (queries, end) => {
          ends.push(`${end.status}: ${end.reason}`)
          await queries
            .insertInto('workflow_locks')
            .values({ name: 'proof', workflow_id: end.workflowId, at: end.at })
            .execute()
        },
      },
    ])
    await enqueue('w')
    await engine.start()
    await until('w', 'held')
    await store.write((queries) => cancelWorkflow(queries, { workflowId: 'w', reason: 'not now' }, clock.now()))
    engine.poke()
    await until('w', 'cancelled')
    expect(ends).toEqual(['cancelled: Workflow w was cancelled: not now'])
    await expect(
      store.write((queries) => signalWorkflow(queries, { id: 's', workflowId: 'w', name: 'go', data: null }, 1)),
    ).rejects.toThrow('is cancelled')
  })
})

describe('an engine', () => {
  test('runs one workflow of a subject at a time, in order of arrival', async () => {
    const order: string[] = []
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const engine = engineFor([
      workflow(async (context, input) => {
        return await context.step('act', { timeoutMs: 60_000 }, async () => {
          order.push(`begin ${JSON.stringify(input)}`)
          await gates[Number(input)]!.promise
          order.push(`end ${JSON.stringify(input)}`)
          return null
        })
      }),
    ])
    await enqueue('a', { subject: 'host', input: 0 })
    await clock.advance(1)
    await enqueue('b', { subject: 'host', input: 1 })
    await engine.start()
    await clock.advance(100)
    expect(order).toEqual(['begin 0'])
    gates[0]!.resolve()
    await until('a', 'completed')
    await clock.advance(100)
    expect(order).toEqual(['begin 0', 'end 0', 'begin 1'])
    gates[1]!.resolve()
    await until('b', 'completed')
  })

  test('hands its work over when it is stopped, and the next one goes on at once', async () => {
    let stuck = true
    const definition = workflow(async (context) => {
      return await context.step('act', { timeoutMs: 60_000 }, async ({ signal }) => {
        if (stuck)
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
        return 'done'
      })
    })
    const first = engineFor([definition])
    await enqueue('w')
    await first.start()
    await clock.advance(50)
    const stopping = first.stop()
    await clock.advance(50)
    await stopping
    expect(await status('w')).toMatchObject({ status: 'waiting', owner: null })
    stuck = false
    await engineFor([definition]).start()
    expect(await until('w', 'completed')).toMatchObject({ result: 'done' })
  })

  test('takes over a silent engine after its lease and not before', async () => {
    const definition = workflow(async (context) => {
      return await context.step('act', { timeoutMs: 600_000 }, async ({ fence }) => {
        if (fence === 1) await new Promise(() => {})
        return fence
      })
    })
    await enqueue('w')
    await store.write(async (queries) => {
      await queries
        .insertInto('engines')
        .values({ id: 'silent', lease_until: clock.now() + 3000, started_at: 0 })
        .execute()
      await queries
        .updateTable('workflows')
        .set({ status: 'running', owner: 'silent', fence: 1, wake_at: null })
        .execute()
    })
    await engineFor([definition]).start()
    await clock.advance(2500)
    expect((await status('w')).owner).toBe('silent')
    await clock.advance(2000)
    expect(await until('w', 'completed')).toMatchObject({ result: 2 })
  })

  test('does not claim workflows that it does not know', async () => {
    const engine = engineFor([workflow(async () => null, 'known')])
    await enqueue('w', { name: 'unknown' })
    await engine.start()
    await clock.advance(5000)
    expect((await status('w')).status).toBe('pending')
  })
})
