import { expect, test } from 'vitest'

import { SeededRandom } from '../core/random.ts'
import { openMemoryPool } from './memory/store.ts'
import { groupRules, poolRules, type PoolConfiguration } from './options.ts'
import type { Leadership, PoolStore } from './store.ts'
import { brokenRules } from './testing/broken-rules.ts'
import { differingParts } from './testing/differing-parts.ts'
import { START, type PoolFactory } from './testing/lab.ts'
import { outcomeOf, randomOperation, type Operation } from './testing/random-operation.ts'

const CONFIGURATION: PoolConfiguration = {
  pool: poolRules({
    maxHeldPerUser: 6,
    maxHeldPerArch: { arm: 3 },
    ageingMs: 2000,
    holdQuota: 2,
    requestRetentionMs: 5000,
  }),
  groups: [
    groupRules({
      id: 'g',
      labels: ['small'],
      maxTotal: 8,
      maxPerUser: 3,
      maxSpawns: 4,
      checkInUse: true,
      leaseMs: 4000,
      graceMs: 1000,
      reattachMs: 6000,
      preemptGraceMs: 1500,
      checkMaxTimeMs: 2000,
      dirtyTimeoutMs: 8000,
      maxCheckAgeMs: 20_000,
      maxUses: 5,
    }),
    groupRules({
      id: 'h',
      maxTotal: 6,
      maxPerUser: 0,
      maxPerSandbox: 2,
      maxInUse: 4,
      dirtyPolicy: 'reset',
      leaseMs: 4000,
      maxAgeMs: 30_000,
      maxReadyAgeMs: 9000,
      protectInUse: false,
    }),
  ],
}

/** Operations asked of the pool under test at the same time, in their order. */
const BATCH = 40

/**
 * Random operations on a pool and on the one in memory as its model, by two masters, with the process of the pool under
 * test killed now and then: the next one opens the pool anew, and nobody has closed it. Both must answer the same, hold
 * the same, break no rule; and the indexes must be what a recount gives. One of the runs puts all operations on one pool.
 *
 * Source: vm-pool.md C1.
 */
export function poolStoreProperty(name: string, factory: PoolFactory, { operations }: { operations: number }): void {
  test.for([
    [operations, 1],
    [operations / 4, 2],
    [operations / 4, 3],
    [operations / 4, 4],
  ] as const)(
    `${name}: C1 C3 C9 after %i random operations from seed %i all is as in the model, and the indexes equal a recount`,
    { timeout: 300_000 },
    async ([count, seed], ctx) => {
      await using place = await factory(ctx)
      const run = await play({ seed, operations: count, place })
      expect(run).toMatchObject({ difference: null, done: count })
      expect(run.crashes).toBeGreaterThan(count / 1000)
    },
  )
}

interface Run {
  readonly seed: number
  readonly operations: number
  readonly place: { open(): Promise<PoolStore> }
}

interface Asked {
  readonly operation: Operation
  readonly expected: unknown
  readonly place: string
}

interface Difference {
  readonly where: string
  readonly parts: readonly string[]
}

function difference(where: string, found: unknown, expected: unknown): Difference | null {
  const parts = differingParts(found, expected)
  return parts.length === 0 ? null : { where, parts: parts.slice(0, 20) }
}

interface Played {
  /** Where the two part; null when they never do. */
  readonly difference: Difference | null
  /** How many operations were asked of both. */
  readonly done: number
  readonly crashes: number
}

/** Runs the operations on both, until they part. */
async function play({ seed, operations, place }: Run): Promise<Played> {
  const random = new SeededRandom(seed)
  await using model = openMemoryPool()
  await using dead = new AsyncDisposableStack()
  let subject = await place.open()
  let crashes = 0
  let now = START
  let names = 0
  let fence = 0
  const next = (): string => `vm-${String((names += 1)).padStart(5, '0')}`
  const both = async (work: (store: PoolStore) => Promise<unknown>): Promise<void> => {
    for (const store of [model, subject]) await work(store)
  }
  try {
    await both((store) => store.configure(CONFIGURATION, { fence: null }))
    for (let done = 0; done < operations; done += BATCH) {
      const asked: Asked[] = []
      for (let index = done; index < done + BATCH; index += 1) {
        if (random.next() < 0.3) now += Math.floor(random.next() * 700)
        const { vms } = await model.list({ limit: 1000 })
        const { requests } = await model.requests({ limit: 1000 })
        const operation = randomOperation({ random, now, vms, requests, fences: [fence, fence - 1], next })
        const expected = await outcomeOf(operation, model)
        if (isLeadership(expected)) fence = expected.fence
        asked.push({ operation, expected, place: `seed ${seed}, operation ${index} at ${now}: ${operation.name}` })
      }
      const outcomes = await Promise.all(asked.map(({ operation }) => outcomeOf(operation, subject)))
      const where = `seed ${seed}, after operation ${done + BATCH}`
      const found =
        asked
          .map((each, index) => difference(each.place, outcomes[index], each.expected))
          .find((each) => each !== null) ??
        difference(where, await whole(subject, now), await whole(model, now)) ??
        difference(`${where}, the indexes`, [await subject.verify(), await model.verify()], [[], []]) ??
        difference(`${where}, the rules`, await brokenRules(model, CONFIGURATION), [])
      if (found !== null) return { difference: found, done: done + BATCH, crashes }
      if (random.next() < 0.1) {
        // Kill -9: whatever it had open stays so until the test is over.
        dead.use(subject)
        subject = await place.open()
        crashes += 1
      }
      if (random.next() < 0.05) {
        now += 1
        await both((store) => store.markServerStart({ now, fence: null }))
      }
    }
  } finally {
    await subject[Symbol.asyncDispose]()
  }
  return { difference: null, done: operations, crashes }
}

function isLeadership(outcome: unknown): outcome is Leadership {
  return typeof outcome === 'object' && outcome !== null && 'fence' in outcome
}

/** Everything that a pool shows. */
async function whole(store: PoolStore, now: number): Promise<unknown> {
  return {
    vms: (await store.list({ limit: 1000 })).vms,
    some: (await store.list({ states: ['ready', 'in_use', 'stuck'], limit: 1000 })).vms.map(({ name }) => name),
    requests: (await store.requests({ limit: 1000 })).requests,
    counts: (await store.counts({ now })).toSorted((a, b) => (a.group < b.group ? -1 : 1)),
    usage: await store.usage(['ann', 'bob', 'eve']),
    due: await store.due({ now, limit: 1000 }),
    next: await store.nextDue(),
    holds: await store.failureHolds(),
    tasks: await Promise.all(
      [1, 2, 3, 4, 5].map(async (task) => (await store.byTask(`task-${task}`)).map(({ name }) => name)),
    ),
    ips: await Promise.all([1, 2, 3].map(async (ip) => (await store.byIp(`10.0.0.${ip}`)).map(({ name }) => name))),
  }
}
