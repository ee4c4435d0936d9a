import { describe, expect, test } from 'vitest'

import { SeededRandom } from '../../packages/mainstay/src/core/random.ts'
import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'
import { labelOptions } from '../../packages/mainstay/src/pool/testing/counts.ts'
import { PoolRig, type RigProcess } from '../../packages/mainstay/src/pool/testing/rig.ts'
import { LoadClient, newBooks, type LoadBooks } from './support/pool-load.ts'

const GROUP = {
  id: 'g',
  maxTotal: 12,
  maxSpawns: 4,
  maxPerUser: 4,
  maxUses: 8,
  leaseMs: 6000,
  graceMs: 2000,
  preemptGraceMs: 3000,
  checkPeriodMs: 10_000,
  dirtyTimeoutMs: 15_000,
  launchTimeoutMs: 30_000,
  resetTimeoutMs: 30_000,
  terminatingTimeoutMs: 10_000,
} as const

const OWNERS = ['ann', 'bob', 'cid', 'dan']
const STEP_MS = 500
const OPERATIONS = 10_000

/** `POOL_KILL_SEED=7 npx vitest run --project e2e test/e2e/pool-kill-simulated.test.ts` plays another schedule. */
const SEED = Number(process.env['POOL_KILL_SEED'] ?? 0)

describe.each(['sandbox', 'reset', 'discard'] as const)('kill -9 at random, dirty machines: %s', (dirtyPolicy) => {
  const share = dirtyPolicy === 'sandbox' ? OPERATIONS : OPERATIONS / 4

  test(`C5 C6 C9 ${share} operations while clients, masters, spawns and the database's line die at random`, async () => {
    const random = new SeededRandom(SEED + dirtyPolicy.length)
    const chance = new SeededRandom(SEED + 99)
    const trouble = { on: true }
    await using rig = new PoolRig({
      groups: [{ ...GROUP, dirtyPolicy }],
      labels: [labelOptions({ label: 'g', minReady: 3, maxReady: 5, scaleDownDelayMs: 10_000 })],
      cloud: {
        latency: { buildMs: 2000, destroyMs: 300, resetMs: 800 },
        faults: {
          create: { transient: 0.03, lost_answer: 0.03, fail_later: 0.03, hang: 0.01 },
          destroy: { transient: 0.05, lost_answer: 0.05 },
          reset: { transient: 0.05 },
          list: { transient: 0.1 },
        },
      },
      check: async ({ name }) => {
        if (chance.next() < 0.02) throw new Error('could not look')
        return chance.next() < 0.03 ? { passed: false, reason: `${name} is tired` } : { passed: true, reason: '' }
      },
      master: { cycleMs: 2000, minGapMs: 100, leadership: { leaseMs: 6000, renewMs: 2000 } },
      reconcile: { periodMs: 20_000, graceMs: 40_000, settleMs: 5000, maxLeakDeletes: 100 },
      storeFault: () => {
        if (!trouble.on) return 'none'
        const drawn = chance.next()
        return drawn < 0.01 ? 'before' : drawn < 0.02 ? 'after' : 'none'
      },
    })
    const store = await rig.open()
    const books = newBooks()
    const living: RigProcess[] = [await rig.process(), await rig.process()]
    const clients = Array.from({ length: 16 }, (_, index) => {
      const owner = OWNERS[index % OWNERS.length]!
      const now = (): number => rig.clock.now()
      return new LoadClient({ id: `c${index}`, owner, random, now, books, leaseMs: GROUP.leaseMs })
    })
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!

    let kills = 0
    while (books.operations < share) {
      for (const client of clients) {
        if (random.next() < 0.6) await client.act(pick(living), { finish: false })
      }
      if (random.next() < 0.05) {
        pick(clients).kill()
        kills += 1
      }
      if (random.next() < 0.01) {
        living.splice(Math.floor(random.next() * living.length), 1)[0]!.kill()
        living.push(await rig.process())
        kills += 1
      }
      if (random.next() < 0.02) await disturb(store, pick, rig)
      await rig.clock.advance(STEP_MS)
      books.violations.push(...(await brokenLimits(store, rig.clock.now())))
    }
    expect(kills).toBeGreaterThan(dirtyPolicy === 'sandbox' ? 40 : 5)

    // Now nothing breaks any more: everybody ends what he began.
    trouble.on = false
    rig.cloud.faults.replace()
    await rig.until(
      'every client has what it waited for, or a reason',
      async () => {
        for (const client of clients) await client.act(pick(living), { finish: true })
        return clients.every((client) => client.waitsFor === null && !client.holds)
      },
      300_000,
      STEP_MS,
    )
    await rig.until('nobody waits', async () => (await store.requests({ limit: 1 })).requests.length === 0, 120_000)
    await rig.until('what nobody gave back is taken back', async () => (await inUse(store, rig)) === 0, 120_000)
    await rig.until('the pool and the cloud agree', async () => (await unknown(store, rig)).length === 0, 300_000, 5000)
    expect(books.violations).toEqual([])
    expect(await store.verify()).toEqual([])
    expectAllEnded(books)
  }, 120_000)
})

/** What operators and the world do meanwhile. */
async function disturb(store: PoolStore, pick: <T>(from: readonly T[]) => T, rig: PoolRig): Promise<void> {
  const { vms } = await store.list({ limit: 50 })
  if (vms.length === 0) return
  const { name, state } = pick(vms)
  const now = rig.clock.now()
  const idle = state === 'ready' || state === 'got_ip'
  if (idle) await store.terminate({ names: [name], by: { operator: true, force: false }, reason: 'an operator', now })
  else for (const machine of rig.cloud.byName(name)) rig.cloud.remove(machine)
}

async function brokenLimits(store: PoolStore, now: number): Promise<string[]> {
  const [group] = await store.counts({ now })
  const { terminating: _ending, stuck: _stuck, ...active } = group!.states
  const total = Object.values(active).reduce((sum, count) => sum + count, 0)
  const spawning = active.requested + active.building + active.starting
  const usage = await store.usage(OWNERS)
  return [
    ...(total > GROUP.maxTotal ? [`${total} machines`] : []),
    ...(spawning > GROUP.maxSpawns ? [`${spawning} spawns`] : []),
    ...usage.flatMap(({ owner, bound }) =>
      (bound['g'] ?? 0) > GROUP.maxPerUser ? [`${owner} has ${bound['g']}`] : [],
    ),
  ]
}

async function inUse(store: PoolStore, rig: PoolRig): Promise<number> {
  return (await store.counts({ now: rig.clock.now() }))[0]!.states.in_use
}

/** Machines that one side knows and the other does not, but for those on their way in or out. */
async function unknown(store: PoolStore, rig: PoolRig): Promise<string[]> {
  const { vms } = await store.list({ limit: 1000 })
  const there = new Set(rig.cloud.machines().map(({ name }) => name))
  const known = new Set(vms.map(({ name }) => name))
  const coming = new Set(['requested', 'building', 'terminating'])
  return [
    ...[...there].filter((name) => !known.has(name)),
    ...vms.filter(({ name, state }) => !there.has(name) && !coming.has(state)).map(({ name }) => name),
  ]
}

function expectAllEnded({ ends }: LoadBooks): void {
  expect(ends.granted).toBeGreaterThan(50)
  expect(ends.cancelled + ends.expired).toBeGreaterThan(0)
}
