import { describe, expect, test } from 'vitest'

import { ManualClock } from '../../packages/mainstay/src/core/clock.ts'
import { SeededRandom } from '../../packages/mainstay/src/core/random.ts'
import {
  groupRules,
  poolRules,
  type DirtyPolicy,
  type PoolConfiguration,
} from '../../packages/mainstay/src/pool/options.ts'
import { SimulatedCloud } from '../../packages/mainstay/src/pool/provider/simulated/index.ts'
import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'
import { brokenRules } from '../../packages/mainstay/src/pool/testing/broken-rules.ts'
import { ChangeLedger } from '../../packages/mainstay/src/pool/testing/change-ledger.ts'
import { labelOptions } from '../../packages/mainstay/src/pool/testing/counts.ts'
import { PoolRig, type RigProcess } from '../../packages/mainstay/src/pool/testing/rig.ts'
import { LoadClient, newBooks, type LoadBooks, type RequestEnd } from './support/pool-load.ts'

const LEASE_MS = 6000

/** Every limit that a configuration knows, each so low that the load reaches it. */
const POOL = {
  maxHeldPerUser: 5,
  maxHeldPerSandbox: 4,
  maxHeldPerArch: { arm: 4 },
  holdQuota: 2,
  // So that every request can be asked about until the end.
  requestRetentionMs: 3_600_000,
}

const COMMON = {
  labels: ['both'],
  archs: ['x86_64', 'arm'],
  leaseMs: LEASE_MS,
  graceMs: 2000,
  preemptGraceMs: 3000,
  checkPeriodMs: 10_000,
  dirtyTimeoutMs: 15_000,
  launchTimeoutMs: 30_000,
  resetTimeoutMs: 30_000,
  terminatingTimeoutMs: 10_000,
  maxUses: 8,
} as const

const GROUPS = [
  { ...COMMON, id: 'g', maxTotal: 8, maxSpawns: 4, maxPerUser: 4, spawnIntervalMs: 400 },
  { ...COMMON, id: 'h', maxTotal: 6, maxSpawns: 2, maxPerUser: 3, maxPerSandbox: 2, maxInUse: 4 },
] as const

const LABELS = [
  labelOptions({ label: 'g', minReady: 3, maxReady: 5, scaleDownDelayMs: 10_000 }),
  labelOptions({ label: 'h', minReady: 1, scaleDownDelayMs: 10_000 }),
  labelOptions({ label: 'both', maxTotal: 12 }),
]

/** What the first provider has room for; the second takes the rest. */
const FIRST_PROVIDER_MACHINES = 6

const OWNERS = ['ann', 'bob', 'cid', 'dan']
const STEP_MS = 500
const LEAST_OPERATIONS = 10_000
const LEAST_SIMULATED_MS = 600_000

/** How often each is killed at the least; it goes on until then, for no longer than {@link MOST_SIMULATED_MS}. */
const LEAST_KILLS = { client: 50, master: 12, leader: 6, hook: 30, store: 6 }
const MOST_SIMULATED_MS = 4 * LEAST_SIMULATED_MS

const SEEDS =
  process.env['POOL_KILL_SEED'] === undefined ? [1, 2] : process.env['POOL_KILL_SEED'].split(',').map(Number)

const cases = SEEDS.flatMap((seed) => (['sandbox', 'reset', 'discard'] as const).map((dirty) => [dirty, seed] as const))

describe('kill -9 at random of clients, masters, spawn hooks and the database', () => {
  test.for(cases)(
    'C3 C5 C6 C9 dirty machines: %s; again with POOL_KILL_SEED=%i npx vitest run --project e2e pool-kill-simulated',
    { timeout: 240_000 },
    async ([dirtyPolicy, seed]) => {
      const played = await play(dirtyPolicy, seed)
      expect(played.operations).toBeGreaterThanOrEqual(LEAST_OPERATIONS)
      expect(played.simulatedMs).toBeGreaterThanOrEqual(LEAST_SIMULATED_MS)
      expect(played.missingKills).toEqual([])
      expect(played.violations).toEqual([])
      expect(played.broken).toEqual([])
      expect(played.indexes).toEqual([])
      expect(played.unanswered).toEqual([])
      // Limits that nobody comes near prove nothing: each was reached to the last machine.
      expect(played.most).toMatchObject(REACHED)
      expect(played.soonest, 'one spawn exactly at the end of the interval').toBe(400)
      expect(played.ends.granted).toBeGreaterThan(100)
      expect(Math.min(played.ends.refused, played.ends.cancelled, played.ends.expired)).toBeGreaterThan(10)
    },
  )
})

/** What the limits allow at the most; see {@link GROUPS} and {@link LABELS}. */
const REACHED = { 'g active': 8, 'g spawning': 4, 'h in use': 4, 'h spawning': 2, 'label both': 12 }

/** How it went: everything that should be empty, and what shows that it was worth it. */
interface Played {
  readonly operations: number
  readonly simulatedMs: number
  readonly missingKills: readonly string[]
  /** Limits and leases at each look, and machines with two holders. */
  readonly violations: readonly string[]
  /** Limits and hand-overs by the changes. */
  readonly broken: readonly string[]
  readonly indexes: readonly string[]
  readonly unanswered: readonly string[]
  readonly most: Readonly<Record<string, number>>
  readonly soonest: number | undefined
  readonly ends: Readonly<Record<RequestEnd, number>>
}

async function play(dirtyPolicy: DirtyPolicy, seed: number): Promise<Played> {
  const random = new SeededRandom(seed)
  const chance = new SeededRandom(seed + 99)
  const groups = GROUPS.map((group) => ({ ...group, dirtyPolicy }))
  const configuration: PoolConfiguration = { pool: poolRules(POOL), groups: groups.map(groupRules) }
  const trouble = { on: true }
  const clock = new ManualClock()
  const faults = {
    create: { transient: 0.03, lost_answer: 0.03, fail_later: 0.03, hang: 0.01 },
    destroy: { transient: 0.05, lost_answer: 0.05 },
    reset: { transient: 0.05 },
    list: { transient: 0.1 },
  }
  const latency = { buildMs: 2000, destroyMs: 300, resetMs: 800 }
  const small = new SimulatedCloud({
    clock,
    seed: seed + 7,
    latency,
    faults,
    limits: { machines: FIRST_PROVIDER_MACHINES },
  })
  await using rig = new PoolRig({
    clock,
    seed,
    groups,
    pool: POOL,
    labels: LABELS,
    cloud: { latency, faults },
    providers: [{ name: 'small', priority: 10, cloud: small }, { name: 'sim' }],
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
  const clouds = [rig.cloud, small]
  const store = await rig.open()
  const ledger = new ChangeLedger(configuration, LABELS)
  await using _watching = watch(store, ledger)
  const books = newBooks()
  const living: RigProcess[] = [await rig.process(), await rig.process()]
  const clients = Array.from({ length: 16 }, (_, index) => {
    const groupsInTurn = [undefined, ['g'], ['h'], ['h', 'g']]
    const own = { owner: OWNERS[index % OWNERS.length]!, groups: groupsInTurn }
    return new LoadClient({ id: `c${index}`, random, now: () => clock.now(), books, leaseMs: LEASE_MS, ...own })
  })
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!
  const happens = (probability: number): boolean => random.next() < probability

  const kills: Record<keyof typeof LEAST_KILLS, number> = { client: 0, master: 0, leader: 0, hook: 0, store: 0 }
  const killMaster = async (): Promise<void> => {
    const leader = living.find(({ master }) => master.leadership.term !== null)
    const victim = leader !== undefined && happens(0.7) ? leader : pick(living)
    kills.master += 1
    if (victim === leader) kills.leader += 1
    victim.kill()
    living.splice(living.indexOf(victim), 1)
    living.push(await rig.process())
  }
  const began = clock.now()
  let storeBackAt = 0
  const enough = (): boolean =>
    books.operations >= LEAST_OPERATIONS &&
    clock.now() - began >= LEAST_SIMULATED_MS &&
    missingKills(kills).length === 0
  while (!enough() && clock.now() - began < MOST_SIMULATED_MS) {
    for (const client of clients) {
      if (happens(0.6)) {
        await client.act(pick(living), { finish: false })
        books.violations.push(...(await brokenRules(store, configuration, LABELS)))
      }
    }
    if (happens(0.1) && pick(clients).kill()) kills.client += 1
    if (happens(0.015)) await killMaster()
    if (happens(0.1) && rig.hooks.kill('create')) kills.hook += 1
    if (happens(0.02)) rig.hooks.kill(pick(['destroy', 'reset']))
    if (rig.line.running && happens(0.01)) {
      rig.line.kill()
      storeBackAt = clock.now() + Math.floor(random.next() * 8000)
      kills.store += 1
    }
    if (!rig.line.running && clock.now() >= storeBackAt) rig.line.start()
    if (happens(0.03)) await disturb(store, pick, clouds, clock.now())
    await clock.advance(STEP_MS)
    books.violations.push(...(await brokenRules(store, configuration, LABELS)), ...(await untold(store, ledger, clock)))
  }
  const simulatedMs = clock.now() - began

  // Now nothing breaks any more: everybody ends what he began.
  trouble.on = false
  rig.line.start()
  for (const cloud of clouds) cloud.faults.replace()
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
  await rig.until('what nobody gave back is taken back', async () => (await inUse(store, clock)) === 0, 120_000)
  await rig.until('pool and clouds agree', async () => (await unknown(store, clouds)).length === 0, 300_000, 5000)
  return {
    operations: books.operations,
    simulatedMs,
    missingKills: missingKills(kills),
    violations: [...new Set(books.violations)],
    broken: ledger.broken,
    indexes: await store.verify(),
    unanswered: await unanswered(store, books, ledger),
    most: Object.fromEntries(ledger.most),
    soonest: ledger.soonest.get('g'),
    ends: countEnds(books),
  }
}

function missingKills(kills: Record<keyof typeof LEAST_KILLS, number>): string[] {
  return Object.entries(LEAST_KILLS)
    .filter(([who, least]) => kills[who as keyof typeof kills] < least)
    .map(([who, least]) => `${kills[who as keyof typeof kills]} kills of a ${who} instead of ${least}`)
}

/** Writes every change into the ledger. */
function watch(store: PoolStore, ledger: ChangeLedger): AsyncDisposable {
  const stopping = new AbortController()
  const news = store.changes({ signal: stopping.signal })
  const watching = (async () => {
    for await (const each of news) {
      if (each.kind === 'gap') ledger.broken.push('changes were missed')
      else ledger.apply(each.change)
    }
  })()
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await watching
    },
  }
}

/** What operators and the world do meanwhile. */
async function disturb(
  store: PoolStore,
  pick: <T>(from: readonly T[]) => T,
  clouds: readonly SimulatedCloud[],
  now: number,
): Promise<void> {
  const { vms } = await store.list({ limit: 50 })
  if (vms.length === 0) return
  const { name, state } = pick(vms)
  const idle = state === 'ready' || state === 'got_ip'
  if (!idle) {
    for (const cloud of clouds) for (const machine of cloud.byName(name)) cloud.remove(machine)
  } else if (pick([true, false])) {
    const hold = { name, until: now + 15_000, reason: 'to look at it', by: 'an operator', now }
    await store.hold(hold).catch(refusedForItsQuota)
  } else {
    await store.terminate({ names: [name], by: { operator: true, force: false }, reason: 'an operator', now })
  }
}

function refusedForItsQuota(error: unknown): void {
  if (!(error instanceof Error) || !error.message.includes('which is the most')) throw error
}

/** Machines of which the changes say something else than the records do. */
async function untold(store: PoolStore, ledger: ChangeLedger, clock: ManualClock): Promise<string[]> {
  const groups = await store.counts({ now: clock.now() })
  return groups.flatMap(({ group, states }) =>
    Object.entries(states).flatMap(([state, count]) => {
      const told = ledger.count(group, (each) => each === state)
      return told === count ? [] : [`${count} machines of ${group} are ${state}, ${told} by the changes`]
    }),
  )
}

async function inUse(store: PoolStore, clock: ManualClock): Promise<number> {
  const groups = await store.counts({ now: clock.now() })
  return groups.reduce((sum, { states }) => sum + states.in_use, 0)
}

/** Machines that one side knows and the other does not, but for those on their way in or out. */
async function unknown(store: PoolStore, clouds: readonly SimulatedCloud[]): Promise<string[]> {
  const { vms } = await store.list({ limit: 1000 })
  const there = clouds.flatMap((cloud) => cloud.machines().map(({ name }) => name))
  const known = new Set(vms.map(({ name }) => name))
  const coming = new Set(['requested', 'building', 'terminating'])
  return [
    ...there.filter((name) => !known.has(name)),
    ...there.filter((name, index) => there.indexOf(name) !== index).map((name) => `${name} is there twice`),
    ...vms.filter(({ name, state }) => !there.includes(name) && !coming.has(state)).map(({ name }) => name),
  ]
}

/**
 * Requests that neither got a machine nor a reason. Of one whose client was killed the pool knows how it ended, unless the
 * question never reached it.
 */
async function unanswered(store: PoolStore, books: LoadBooks, ledger: ChangeLedger): Promise<string[]> {
  const bad: string[] = []
  for (const [id, { end, reason, accepted }] of books.requests) {
    const granted = ledger.granted.has(id)
    if (end === 'granted' ? granted : end !== 'unknown' && reason.length > 10) continue
    if (end !== 'unknown') {
      bad.push(`${id} is ${end}, with the reason "${reason}"`)
      continue
    }
    const found = await store.request(id)
    const ended = found !== null && found.status !== 'waiting' && (found.reason ?? '') !== ''
    if (!granted && !ended && (accepted || ledger.heard.has(id))) bad.push(`${id} was forgotten`)
  }
  return bad
}

function countEnds({ requests }: LoadBooks): Record<RequestEnd, number> {
  const ends = { unknown: 0, granted: 0, refused: 0, cancelled: 0, expired: 0 }
  for (const { end } of requests.values()) ends[end] += 1
  return ends
}
