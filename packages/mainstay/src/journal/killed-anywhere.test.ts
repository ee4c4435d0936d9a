import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { MainstayError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import type { Store } from '../store/index.ts'
import type { EnqueuedWorkflow } from './claimed-workflow.ts'
import type { RecordedMessage } from './diagnostics.ts'
import { MortalClock, MortalStore } from './testing/mortal.ts'
import { TestJournal } from './testing/start-journal.ts'
import type { WorkflowContext, WorkflowDefinition } from './workflow.ts'

/** What a made-up workflow does, one thing after the other; `both` does two lists of things beside each other. */
type Op =
  | { readonly kind: 'step'; readonly slow: number }
  | { readonly kind: 'flaky'; readonly failures: number }
  | { readonly kind: 'sleep'; readonly ms: number; readonly releases: boolean }
  | { readonly kind: 'signal'; readonly beforeIt: boolean }
  | { readonly kind: 'transact' }
  | { readonly kind: 'decide' }
  | { readonly kind: 'time' }
  | { readonly kind: 'lock' }
  | { readonly kind: 'both'; readonly left: readonly Op[]; readonly right: readonly Op[] }

const simple: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('step' as const), slow: fc.constantFrom(0, 10, 400) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('flaky' as const), failures: fc.integer({ min: 1, max: 2 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('sleep' as const),
      ms: fc.constantFrom(1, 300, 8000),
      releases: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('signal' as const), beforeIt: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('transact' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('decide' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lock' as const) }) },
)
const plan = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: simple },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('both' as const),
        left: fc.array(simple, { minLength: 1, maxLength: 3 }),
        right: fc.array(simple, { minLength: 1, maxLength: 3 }),
      }),
    },
  ),
  { minLength: 1, maxLength: 6 },
)

class NotYetError extends MainstayError {
  readonly code = 'MS_TEST_NOT_YET'
  readonly status = 503
  readonly retryable = true
}

let journal: TestJournal
let count = 0

beforeEach(async () => {
  journal = await TestJournal.open()
})

afterEach(async () => {
  await journal[Symbol.asyncDispose]()
})

/** Everything that one workflow did to the world. */
interface World {
  readonly acts: Map<string, number>
  readonly waits: Set<string>
}

/** The workflow of a plan. Its result depends on what every part of it returned, but not on how long anything took. */
function workflowOf(name: string, ops: readonly Op[], { acts, waits }: World): WorkflowDefinition {
  const act = async (context: WorkflowContext, key: string, op: Op, before: Json): Promise<Json> => {
    switch (op.kind) {
      case 'step':
        return await context.step(key, { timeoutMs: 60_000, input: before }, async (attempt) => {
          acts.set(attempt.key, (acts.get(attempt.key) ?? 0) + 1)
          await context.clock.sleep(op.slow, attempt)
          attempt.progress(1, 'done')
          return `${key} did`
        })
      case 'flaky':
        return await context.step(
          key,
          { timeoutMs: 60_000, input: before, retry: { attempts: 1000, minDelayMs: 10, maxDelayMs: 20 } },
          async (attempt) => {
            acts.set(attempt.key, (acts.get(attempt.key) ?? 0) + 1)
            if (attempt.attempt <= op.failures) throw new NotYetError('not yet')
            return `${key} did at last`
          },
        )
      case 'sleep':
        await context.sleep(key, op.ms, op.releases ? { releases: 'subject' } : {})
        return key
      case 'signal': {
        waits.add(key)
        const signal = await context.waitForSignal(key, { names: [key], timeoutMs: 86_400_000 })
        return signal?.data ?? null
      }
      case 'transact':
        return await context.transact(key, before, async (queries, at) => {
          const lock = { name: `${context.workflowId} ${key}`, workflow_id: 'proof', at }
          await queries.insertInto('workflow_locks').values(lock).execute()
          return `${key} changed`
        })
      case 'decide':
        return await context.decide(key, 'a rule', before, (given) => [given])
      case 'time':
        return typeof (await context.time(key))
      case 'lock':
        return await context.acquire(key, `lock ${context.workflowId} ${key}`)
      case 'both':
        return await Promise.all([all(context, `${key}l`, op.left, before), all(context, `${key}r`, op.right, before)])
    }
  }
  const all = async (context: WorkflowContext, key: string, list: readonly Op[], before: Json): Promise<Json> => {
    let last = before
    for (const [at, op] of list.entries()) last = [await act(context, `${key}${at}`, op, last)]
    return last
  }
  return { name, version: 1, run: async (context) => await all(context, 's', ops, null) }
}

function signalsOf(ops: readonly Op[], key = 's'): { name: string; beforeIt: boolean }[] {
  return ops.flatMap((op, at) => {
    if (op.kind === 'signal') return [{ name: `${key}${at}`, beforeIt: op.beforeIt }]
    if (op.kind !== 'both') return []
    return [...signalsOf(op.left, `${key}${at}l`), ...signalsOf(op.right, `${key}${at}r`)]
  })
}

/**
 * Runs a plan to its end on engines that are killed after so many entries each.
 *
 * @param disturbance.told whether the first engine is told of the workflow, so that it begins before it claims, or finds it
 */
async function runPlan(
  ops: readonly Op[],
  { kills, told }: { kills: readonly number[]; told: boolean },
  real: Store,
): Promise<{ id: string; result: Json; world: World; killed: number }> {
  count += 1
  const id = `w${count}`
  const world: World = { acts: new Map(), waits: new Set() }
  const definition = workflowOf(id, ops, world)
  const signals = signalsOf(ops)
  const enqueue = async (): Promise<EnqueuedWorkflow> => {
    const enqueued = await journal.enqueue(id, { name: id })
    for (const { name, beforeIt } of signals) if (beforeIt) await journal.signal(id, name, `signal ${name}`)
    return enqueued
  }
  const late = new Set(signals.filter(({ beforeIt }) => !beforeIt).map(({ name }) => name))
  const left = [...kills]
  let killed = 0
  let clock = new MortalClock(journal.clock)
  let store = new MortalStore(real)
  let engine = journal.engine([definition], { store, clock, exclusive: true })
  let entries = 0
  const onRecorded = (message: unknown): void => {
    const { workflowId, entries: added } = message as RecordedMessage
    if (workflowId !== id || store.dead) return
    entries += added.length
    if (left[0] === undefined || entries < left[0]) return
    left.shift()
    killed += 1
    store.dead = true
    clock.dead = true
  }
  subscribe('mainstay.journal.recorded', onRecorded)
  try {
    if (!told) await enqueue()
    await engine.start()
    if (told) {
      await journal.clock.advance(1)
      engine.poke(await enqueue())
    }
    await journal.untilTrue(
      `${id} is completed`,
      async () => {
        const { status, reason } = await journal.find(id)
        if (status === 'failed' || status === 'cancelled') throw new Error(`${id} is ${status}: ${reason}`)
        if (status === 'completed') return true
        if (store.dead) {
          journal.forget(engine)
          entries = 0
          clock = new MortalClock(journal.clock)
          store = new MortalStore(real)
          engine = journal.engine([definition], { store, clock, exclusive: true })
          await engine.start()
        }
        for (const name of [...late].filter((each) => world.waits.has(each))) {
          late.delete(name)
          await journal.signal(id, name, `signal ${name}`)
        }
        return false
      },
      250,
    )
  } finally {
    unsubscribe('mainstay.journal.recorded', onRecorded)
  }
  if (store.dead) journal.forget(engine)
  const { result } = await journal.find(id)
  return { id, result, world, killed }
}

describe('a workflow whose engine is killed anywhere, any number of times', () => {
  test('ends as the undisturbed one does, each outcome written once, each change of our own made once', async () => {
    let killed = 0
    await fc.assert(
      fc.asyncProperty(
        plan,
        fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 8 }),
        fc.boolean(),
        async (ops, kills, told) => {
          const calm = await runPlan(ops, { kills: [], told: !told }, journal.store)
          const disturbed = await runPlan(ops, { kills, told }, journal.store)
          killed += disturbed.killed
          expect(disturbed.result).toEqual(calm.result)

          const history = await journal.history(disturbed.id)
          const seqs = history.map(({ seq }) => seq)
          expect(seqs).toEqual(seqs.map((_, at) => at + 1))
          const fences = history.map(({ fence }) => fence)
          expect(fences).toEqual(fences.toSorted((a, b) => a - b))
          const finals = history.filter(({ kind }) => kind !== 'intent' && kind !== 'failure' && kind !== 'progress')
          const keys = finals.map(({ kind, key }) => `${kind} ${key}`)
          expect(new Set(keys).size).toBe(keys.length)

          const acted = (world: World, id: string): string[] =>
            [...world.acts.keys()].map((key) => key.replace(`${id}/`, '')).toSorted()
          expect(acted(disturbed.world, disturbed.id)).toEqual(acted(calm.world, calm.id))
          expect([...disturbed.world.acts.values()].every((times) => times >= 1)).toBe(true)
        },
      ),
      { numRuns: 30, seed: 20_261_121 },
    )
    expect(killed).toBeGreaterThan(20)
  }, 120_000)
})
