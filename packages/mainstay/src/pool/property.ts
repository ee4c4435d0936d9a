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
 * Random operations on a pool and on the one in memory as its model, by two masters, with the pool under test closed and
 * opened again now and then as after a crash. Both must answer the same, hold the same, break no rule; and the indexes
 * must be what a recount gives.
 *
 * Source: vm-pool.md C1.
 */
export function poolStoreProperty(name: string, factory: PoolFactory, { operations }: { operations: number }): void {
  test.for([1, 2, 3, 4])(
    `${name}: C1 C3 C9 after ${operations / 4} random operations from seed %i all is as in the model, and the indexes equal a recount`,
    { timeout: 120_000 },
    async (seed, ctx) => {
      await using place = await factory(ctx)
      await expect(firstDifference({ seed, operations: operations / 4, place })).resolves.toBeNull()
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

/** Runs the operations on both. @returns where they part; null when they never do */
async function firstDifference({ seed, operations, place }: Run): Promise<Difference | null> {
  const random = new SeededRandom(seed)
  await using model = openMemoryPool()
  let subject = await place.open()
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
      if (found !== null) return found
      if (random.next() < 0.1) {
        await subject[Symbol.asyncDispose]()
        subject = await place.open()
      }
      if (random.next() < 0.05) {
        now += 1
        await both((store) => store.markServerStart({ now, fence: null }))
      }
    }
  } finally {
    await subject[Symbol.asyncDispose]()
  }
  return null
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
