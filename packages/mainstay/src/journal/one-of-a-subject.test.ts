import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { EnqueuedWorkflow } from './claimed-workflow.ts'
import type { RecordedMessage } from './diagnostics.ts'
import type { Engine } from './engine.ts'
import { MortalClock, MortalStore } from './testing/mortal.ts'
import { TestJournal } from './testing/start-journal.ts'
import type { WorkflowDefinition } from './workflow.ts'

/** What each workflow of the subject does, one thing after the other. */
type Op =
  | { readonly kind: 'act'; readonly ms: number }
  | { readonly kind: 'sleep'; readonly ms: number; readonly releases: boolean }

/** What happens to them from outside, after so many entries. */
interface Disturbance {
  readonly after: number
  readonly what: 'kill' | 'cancel' | 'signal'
  readonly whom: number
}

const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ kind: fc.constant('act' as const), ms: fc.constantFrom(0, 50, 2500) }),
  fc.record({ kind: fc.constant('sleep' as const), ms: fc.constantFrom(1, 700, 9000), releases: fc.boolean() }),
)
const disturbance: fc.Arbitrary<Disturbance> = fc.record({
  after: fc.integer({ min: 1, max: 5 }),
  what: fc.constantFrom('kill' as const, 'kill' as const, 'cancel' as const, 'signal' as const),
  whom: fc.nat({ max: 3 }),
})
const told = fc.array(fc.uniqueArray(fc.nat({ max: 1 })), { maxLength: 4 })
const plans = fc.array(fc.array(op, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 4 })

/** A process: what of it is inside an act counts until it is dead. */
interface Process {
  readonly engine: Engine
  readonly clock: MortalClock
  readonly store: MortalStore
  readonly inside: Set<string>
}

/**
 * Runs the plans as workflows of one subject on two engines.
 *
 * @param told which engines are told of a workflow once they run; the last ones are there before
 * @returns who was found beside whom
 */
async function runPlans(
  lists: readonly (readonly Op[])[],
  disturbances: readonly Disturbance[],
  told: readonly (readonly number[])[],
): Promise<string[]> {
  await using journal = await TestJournal.open()
  const together: string[] = []
  const processes: Process[] = []
  const start = async (): Promise<void> => {
    const clock = new MortalClock(journal.clock)
    const store = new MortalStore(journal.store)
    const inside = new Set<string>()
    const definition: WorkflowDefinition = {
      name: 'test',
      version: 1,
      run: async (context, input) => {
        for (const [at, each] of lists[Number(input)]!.entries()) {
          if (each.kind === 'sleep') {
            await context.sleep(`${at}`, each.ms, each.releases ? { releases: 'subject' } : {})
            continue
          }
          await context.step(`${at}`, { timeoutMs: 60_000 }, async ({ signal }) => {
            const others = processes.flatMap((process) => (process.store.dead ? [] : [...process.inside]))
            if (others.length > 0) together.push(`${context.workflowId} beside ${others.join(', ')}`)
            inside.add(context.workflowId)
            try {
              await clock.sleep(each.ms, { signal })
            } finally {
              inside.delete(context.workflowId)
            }
          })
        }
        return null
      },
    }
    const engine = journal.engine([definition], { store, clock, parkAfterMs: 500 })
    await engine.start()
    // Not before: one that is killed while it starts would never be done with it.
    processes.push({ engine, clock, store, inside })
  }
  const ids = lists.map((_, at) => `w${at}`)
  const enqueue = async (at: number): Promise<EnqueuedWorkflow> =>
    await journal.enqueue(ids[at]!, { subject: 'host', input: at })
  for (let at = told.length; at < ids.length; at += 1) await enqueue(at)

  const left = [...disturbances]
  const due: Disturbance[] = []
  let entries = 0
  const onRecorded = (message: unknown): void => {
    entries += Math.max(1, (message as RecordedMessage).entries.length)
    const [next] = left
    if (next === undefined || entries < next.after) return
    entries = 0
    left.shift()
    if (next.what !== 'kill') {
      due.push(next)
      return
    }
    const victims = processes.filter(({ store }) => !store.dead)
    const victim = victims[next.whom % victims.length]
    if (victim === undefined) return
    victim.store.dead = true
    victim.clock.dead = true
    journal.forget(victim.engine)
  }
  subscribe('mainstay.journal.recorded', onRecorded)
  try {
    await start()
    await start()
    for (const [at, whom] of told.slice(0, ids.length).entries()) {
      const enqueued = await enqueue(at)
      for (const each of whom) processes[each]?.engine.poke(enqueued)
    }
    await journal.untilTrue(
      'all of them have ended',
      async () => {
        while (processes.filter(({ store }) => !store.dead).length < 2) await start()
        const found = await Promise.all(ids.map((id) => journal.find(id)))
        for (const { what, whom } of due.splice(0)) {
          const target = found[whom % found.length]!
          if (target.finishedAt !== null) continue
          if (what === 'cancel') await journal.cancel(target.id, 'a test')
          else await journal.signal(target.id, 'anything')
        }
        return found.every(({ status }) => status === 'completed' || status === 'cancelled')
      },
      250,
    )
  } finally {
    unsubscribe('mainstay.journal.recorded', onRecorded)
  }
  const locks = await journal.store.read.selectFrom('workflow_locks').selectAll().execute()
  expect(locks).toEqual([])
  return together
}

test('two workflows of one subject never act at the same time, whoever is killed, cancelled or signalled when', async () => {
  await fc.assert(
    fc.asyncProperty(plans, fc.array(disturbance, { maxLength: 8 }), told, async (lists, disturbances, whom) => {
      expect(await runPlans(lists, disturbances, whom)).toEqual([])
    }),
    { numRuns: 40, seed: 20_261_121 },
  )
}, 180_000)
