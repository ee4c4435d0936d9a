import { expect, test } from 'vitest'

import { SeededRandom } from '../../core/random.ts'
import { PoolUnavailableError } from '../manager-errors.ts'
import { groupRules, poolRules, type PoolConfiguration } from '../options.ts'
import { ACTIVE_STATES } from '../state.ts'
import type { PoolStore } from '../store.ts'
import { brokenRules } from './broken-rules.ts'
import { ChangeLedger } from './change-ledger.ts'
import { labelOptions } from './counts.ts'
import type { PoolFactory, PoolPlace } from './lab.ts'
import { PoolRig, type RigProcess } from './rig.ts'

const COMMON = {
  labels: ['both'],
  leaseMs: 5000,
  graceMs: 1000,
  checkPeriodMs: 5000,
  dirtyTimeoutMs: 4000,
  terminatingTimeoutMs: 5000,
} as const

const GROUPS = [
  { ...COMMON, id: 'g', maxTotal: 5, maxSpawns: 2, maxPerUser: 3, spawnIntervalMs: 300 },
  { ...COMMON, id: 'h', maxTotal: 3, maxSpawns: 1, maxPerSandbox: 1, maxInUse: 2, dirtyPolicy: 'discard' },
] as const
const POOL = { maxHeldPerUser: 3, holdQuota: 1 }
const LABELS = [
  labelOptions({ label: 'g', minReady: 2, scaleDownDelayMs: 3000 }),
  labelOptions({ label: 'h', minReady: 1, scaleDownDelayMs: 3000 }),
  labelOptions({ label: 'both', maxTotal: 7 }),
]
const CONFIGURATION: PoolConfiguration = { pool: poolRules(POOL), groups: GROUPS.map(groupRules) }

const CYCLES = 1000
const CYCLE_MS = 500
const KILLS = 8

/** The longest that nobody may lead after a leader was killed (vm-pool.md C9). */
const TAKEOVER_MS = 10_000

/**
 * Two whole masters at one database until they have run a thousand cycles: leaders are killed, or put to sleep between what
 * they decided and what they do about it, or learn only late that the lead was taken from them, so that two believe to
 * lead. The clock is moved by hand; the database is real.
 *
 * Source: vm-pool.md C9.
 */
export function twoMasters(name: string, factory: PoolFactory): void {
  test(`${name}: C9 two masters for 1,000 cycles exceed no limit, and a killed one is followed within 10 s`, async (ctx) => {
    await using place = await factory(ctx)
    const played = await play(place)
    expect(played.cycles).toBeGreaterThanOrEqual(CYCLES)
    expect(played.violations).toEqual([])
    expect(played.indexes).toEqual([])
    expect(played.takeoversMs).toHaveLength(KILLS)
    expect(Math.max(...played.takeoversMs)).toBeLessThanOrEqual(TAKEOVER_MS)
    expect(played.terms, 'the lead changed often').toBeGreaterThan(2 * KILLS)
    expect(played.bothLed, 'two believed to lead').toBeGreaterThan(KILLS)
    expect(played.slept, 'a leader slept while another led').toBeGreaterThan(KILLS)
    expect(played.fenced, 'what was decided before is refused').toBeGreaterThanOrEqual(played.slept)
    expect(played.most).toMatchObject({ 'g active': 5, 'g spawning': 2, 'h in use': 2, 'label both': 7 })
  }, 400_000)
}

interface Played {
  readonly cycles: number
  readonly violations: readonly string[]
  readonly indexes: readonly string[]
  readonly takeoversMs: readonly number[]
  readonly terms: number
  readonly bothLed: number
  readonly slept: number
  readonly fenced: number
  readonly most: Readonly<Record<string, number>>
}

async function play(place: PoolPlace): Promise<Played> {
  const random = new SeededRandom(7)
  await using rig = new PoolRig({
    groups: GROUPS,
    pool: POOL,
    labels: LABELS,
    openStore: async () => await place.open(),
    cloud: {
      latency: { buildMs: 1500 },
      faults: { create: { transient: 0.05, lost_answer: 0.05, fail_later: 0.05 } },
    },
    master: { cycleMs: CYCLE_MS, minGapMs: 50 },
    reconcile: { periodMs: 20_000, graceMs: 10_000, settleMs: 1000 },
  })
  await using store = await rig.open()
  const all = [await rig.process(), await rig.process()]
  let living = [...all]
  const leaders = (): RigProcess[] => living.filter(({ master }) => master.leadership.term !== null)
  const cycles = (): number => all.reduce((sum, each) => sum + each.cycles(), 0)
  const ledger = new ChangeLedger(CONFIGURATION, LABELS)
  await using _watching = follow(store, ledger)
  const violations = new Set<string>()
  const terms = new Set<number>()
  const takeoversMs: number[] = []
  const most = new Map<string, number>()
  let bothLed = 0
  let slept = 0
  const look = async (): Promise<void> => {
    for (const each of await brokenNow(store, most)) violations.add(each)
    for (const { master } of leaders()) terms.add(master.leadership.term!.fence)
    if (leaders().length > 1) bothLed += 1
  }
  await rig.advance(3000)
  for (let turn = 0; cycles() < CYCLES; turn += 1) {
    await work(living[Math.floor(random.next() * living.length)]!, { random, now: rig.clock.now() })
    await look()
    // Somebody else is taken for the leader, as after a pause of its process: it goes on until it is refused.
    const [leader] = leaders()
    const own = leader?.master.leadership.leader
    if (turn % 25 === 12 && typeof own === 'string') {
      await store.resign({ id: own, now: rig.clock.now() })
      for (const each of living) if (each !== leader) await each.master.leadership.attempt()
      await look()
    }
    if (turn % 25 === 0 && leader !== undefined && (await oversleep(rig, leader, leaders))) slept += 1
    const due = takeoversMs.length < KILLS && cycles() > ((takeoversMs.length + 1) * CYCLES) / (KILLS + 1)
    if (due && leader !== undefined) {
      leader.kill()
      living = living.filter((each) => each !== leader)
      const killedAt = rig.clock.now()
      while (leaders().length === 0 && rig.clock.now() - killedAt <= 2 * TAKEOVER_MS) await rig.advance(100)
      takeoversMs.push(rig.clock.now() - killedAt)
      const next = await rig.process()
      all.push(next)
      living.push(next)
    }
    await rig.advance(CYCLE_MS)
    await look()
  }
  return {
    cycles: cycles(),
    violations: [...violations, ...ledger.broken],
    indexes: await store.verify(),
    takeoversMs,
    terms: terms.size,
    bothLed,
    slept,
    fenced: all.reduce((sum, each) => sum + each.fenced(), 0),
    most: Object.fromEntries(most),
  }
}

/** Puts a leader to sleep just before it starts a machine, until another leads and has done its part. @returns whether */
async function oversleep(rig: PoolRig, leader: RigProcess, leaders: () => readonly RigProcess[]): Promise<boolean> {
  leader.sleeper.fallAsleepBefore('requestSpawn')
  for (let waited = 0; waited < TAKEOVER_MS && !leader.sleeper.asleep; waited += 100) await rig.advance(100)
  if (!leader.sleeper.asleep) {
    leader.sleeper.wake()
    return false
  }
  const followed = (): boolean => leaders().some((each) => each !== leader)
  for (let waited = 0; waited < TAKEOVER_MS && !followed(); waited += 100) await rig.advance(100)
  await rig.advance(4000)
  const slept = followed()
  leader.sleeper.wake()
  return slept
}

/** Judges each change; in SQLite a process sees its own alone, so there only looks judge. */
function follow(store: PoolStore, ledger: ChangeLedger): AsyncDisposable {
  const stopping = new AbortController()
  const news = store.changes({ signal: stopping.signal })
  const following = (async () => {
    for await (const each of news) if (each.kind === 'change') ledger.apply(each.change)
  })()
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await following
    },
  }
}

/** A client that takes a machine, and most of the time gives it back; some leases just end. */
async function work(
  { manager }: RigProcess,
  { random, now }: { readonly random: SeededRandom; readonly now: number },
): Promise<void> {
  const owner = `u${Math.floor(random.next() * 3)}`
  const wish = { owner, worker: 'w', sandbox: `s${Math.floor(random.next() * 2)}` }
  const waits = random.next() < 0.8 ? { waitMs: 2000 } : {}
  const keeps = random.next() < 0.3
  try {
    const acquired = await manager.acquire({ ...wish, ...waits }, { signal: AbortSignal.timeout(60_000), untilMs: now })
    if (acquired.outcome !== 'granted' || keeps) return
    for (const { vm, token } of acquired.leases) await manager.release({ name: vm.name, token })
  } catch (error) {
    if (!(error instanceof PoolUnavailableError)) throw error
  }
}

/** Limits that do not hold now. Notes the most that there ever was of what they bound. */
async function brokenNow(store: PoolStore, most: Map<string, number>): Promise<string[]> {
  const { vms } = await store.list({ limit: 1000 })
  const note = (what: string, count: number): void => void most.set(what, Math.max(most.get(what) ?? 0, count))
  const active = vms.filter(({ state }) => ACTIVE_STATES.includes(state))
  note('label both', active.length)
  const spawns = CONFIGURATION.groups.flatMap(({ id, maxSpawns }) => {
    const own = active.filter(({ group }) => group === id)
    const spawning = own.filter(({ state }) => state === 'requested' || state === 'building').length
    note(`${id} active`, own.length)
    note(`${id} spawning`, spawning)
    note(`${id} in use`, own.filter(({ state }) => state === 'in_use').length)
    return spawning > maxSpawns ? [`${spawning} spawns in ${id}, more than ${maxSpawns}`] : []
  })
  return [...spawns, ...(await brokenRules(store, CONFIGURATION, LABELS))]
}
