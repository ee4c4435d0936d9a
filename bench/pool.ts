import { availableParallelism, loadavg } from 'node:os'

import { groupRules, poolRules } from '../packages/mainstay/src/pool/options.ts'
import type { PoolStore } from '../packages/mainstay/src/pool/store.ts'
import { fillNaive, naivePairsPerSecond } from './pool/baseline.ts'
import { pairsOfProcesses } from './pool/clients.ts'
import { cycle } from './pool/cycle.ts'
import { acquireOverHttp } from './pool/http.ts'
import { acquireAndRelease } from './pool/pairs.ts'
import { makePlace, openPool, type Opened, type Place } from './pool/place.ts'
import { wakeUps } from './pool/wake.ts'
import { percentile } from './recovery/statistics.ts'
import type { BenchOptions, BenchResult } from './run.ts'

/** See `pool.md` for what is measured and how. `MAINSTAY_BENCH_QUICK=1` runs a short round on small pools. */
const QUICK = process.env['MAINSTAY_BENCH_QUICK'] === '1'
const SIZES = QUICK ? [10, 1000] : [10, 100, 1000, 5000, 50_000]
const ROUNDS = QUICK ? 1 : 3
const ROUND_MS = QUICK ? 500 : 2000
const WARM_UP_MS = QUICK ? 200 : 1000
const BASELINE_MS = QUICK ? 500 : 2000
const PROCESSES = 4
const IN_FLIGHT = 32
const IDLE_CYCLES = 20
const WAKE_UPS = QUICK ? 50 : 500

export async function run({ log }: BenchOptions): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = []
  log(
    `${availableParallelism()} processors, load ${loadavg()
      .map((each) => each.toFixed(1))
      .join(' ')}`,
  )
  for (const vms of SIZES) {
    let baseline: number | undefined
    for (const store of ['redis', 'sqlite'] as const) {
      await using made = await makePlace(store)
      await using opened = await openPool(made.place)
      baseline ??= await naive(opened, vms)
      results.push(...(await measure({ store, vms, opened, place: made.place, baseline, log })))
    }
  }
  for (const store of ['redis', 'sqlite'] as const) results.push(...(await woken(store, log)))
  for (const store of ['redis', 'sqlite'] as const) results.push(...(await overHttp(store, log)))
  log(
    `load at the end ${loadavg()
      .map((each) => each.toFixed(1))
      .join(' ')}`,
  )
  return results
}

/** What a waiter waits once a machine is given back (vm-pool.md C4: 50 ms). */
async function woken(store: 'redis' | 'sqlite', log: (line: string) => void): Promise<BenchResult[]> {
  await using made = await makePlace(store)
  const tookMs = await wakeUps(made.place, WAKE_UPS)
  log(`${store}: a waiter is woken after p50 ${percentile(tookMs, 50)} ms, p99 ${percentile(tookMs, 99)} ms`)
  return [50, 99].map((each) => ({
    metric: 'woken_ms',
    params: { store, percentile: each },
    value: percentile(tookMs, each),
    unit: 'ms',
  }))
}

/** What a worker waits for a machine that is there, from the whole program. */
async function overHttp(store: 'redis' | 'sqlite', log: (line: string) => void): Promise<BenchResult[]> {
  const vms = QUICK ? 20 : 200
  const inFlight = QUICK ? 2 : 8
  const load = { store, vms, inFlight, warmUpMs: WARM_UP_MS, durationMs: ROUNDS * ROUND_MS }
  const { acquireMs, pairs, elapsedMs } = await acquireOverHttp(load)
  const params = { vms, store, in_flight: inFlight }
  const rate = Math.round(pairs / (elapsedMs / 1000))
  log(`${store} over HTTP: ${rate} pairs/s, p50 ${percentile(acquireMs, 50)} ms, p99 ${percentile(acquireMs, 99)} ms`)
  return [
    { metric: 'http_pairs_per_s', params, value: rate, unit: '1/s' },
    ...[50, 99].map((each) => ({
      metric: 'http_acquire_ms',
      params: { ...params, percentile: each },
      value: percentile(acquireMs, each),
      unit: 'ms',
    })),
  ]
}

interface Measured {
  readonly store: 'redis' | 'sqlite'
  readonly vms: number
  readonly opened: Opened
  readonly place: Place
  readonly baseline: number
  readonly log: (line: string) => void
}

async function measure({ store, vms, opened, place, baseline, log }: Measured): Promise<BenchResult[]> {
  const { pool } = opened
  await fill(pool, vms)
  // No more at one time than half of the machines, so that none is refused.
  const inFlight = Math.min(IN_FLIGHT, Math.max(1, Math.floor(vms / 2)))
  const load = { owners: vms, first: 0, workers: inFlight, of: inFlight }
  await acquireAndRelease(pool, { ...load, durationMs: WARM_UP_MS })
  const before = opened.commands()
  const rates: number[] = []
  const acquireMs: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const done = await acquireAndRelease(pool, { ...load, durationMs: ROUND_MS })
    rates.push(done.pairs / (done.elapsedMs / 1000))
    acquireMs.push(...done.acquireMs)
  }
  // A pair is an acquire and a release; those of one turn share a command.
  const perAcquire = (opened.commands() - before) / acquireMs.length / 2
  const each = Math.max(1, Math.floor(inFlight / PROCESSES))
  const many = await pairsOfProcesses(place, { processes: PROCESSES, workers: each, owners: vms, durationMs: ROUND_MS })
  const idle = await idleCycle(opened)
  const due = await dueCycle(pool, vms)
  const one = Math.round(percentile(rates, 50))
  log(
    `${store}, ${vms} machines: ${one} pairs/s from one client, ${Math.round(many)} from ${PROCESSES}, ` +
      `p99 ${percentile(acquireMs, 99)} ms, naive ${baseline.toFixed(1)}, idle cycle ${idle.ms} ms (${idle.commands} commands), ` +
      `all due ${due} ms, load ${loadavg()[0]!.toFixed(1)}`,
  )
  const pairs = (clients: number, value: number): BenchResult => ({
    metric: 'acquire_release_pairs_per_s',
    params: { vms, clients, store, in_flight: inFlight },
    value: Math.round(value),
    unit: '1/s',
    baseline: { name: 'naive', value: Number(baseline.toFixed(2)) },
    ratio: Math.round(value / baseline),
  })
  const figure = (metric: string, params: BenchResult['params'], value: number, unit: string): BenchResult => ({
    metric,
    params: { vms, store, ...params },
    value,
    unit,
  })
  return [
    pairs(1, one),
    pairs(PROCESSES, many),
    figure('acquire_ms', { percentile: 50 }, percentile(acquireMs, 50), 'ms'),
    figure('acquire_ms', { percentile: 99 }, percentile(acquireMs, 99), 'ms'),
    figure('idle_cycle_ms', {}, idle.ms, 'ms'),
    figure('due_cycle_ms', {}, due, 'ms'),
    ...(store === 'redis'
      ? [figure('commands_per_acquire', {}, perAcquire, '1'), figure('commands_per_idle_cycle', {}, idle.commands, '1')]
      : []),
  ]
}

/** One client of the reference's algorithm; it runs on Redis whatever ours runs on. */
async function naive({ redis }: Opened, vms: number): Promise<number> {
  if (redis === null) throw new Error('The baseline needs Redis.')
  await fillNaive(redis, vms)
  return await naivePairsPerSecond(redis, BASELINE_MS)
}

/** Machines that are ready and checked, in one group with a limit per owner. */
async function fill(pool: PoolStore, vms: number): Promise<void> {
  const group = groupRules({ id: 'g', maxTotal: vms, maxPerUser: 4, maxCheckAgeMs: 0, dirtyTimeoutMs: 86_400_000 })
  await pool.configure({ pool: poolRules(), groups: [group] }, { fence: null })
  const now = Date.now()
  for (let from = 0; from < vms; from += 1000) {
    const names = Array.from({ length: Math.min(1000, vms - from) }, (_, index) => `vm-${from + index}`)
    await Promise.all(names.map((name) => pool.addVm({ name, group: 'g', ip: `ip-${name}`, now, fence: null })))
    const checks = names.map((name) => ({ name, nextCheckAt: now + 3_600_000 }))
    await pool.startChecks({ checks, now, fence: null })
    await Promise.all(names.map((name) => pool.checkPassed({ name, startedAt: now, now })))
  }
}

async function idleCycle({ pool, commands }: Opened): Promise<{ ms: number; commands: number }> {
  const took: number[] = []
  const before = commands()
  for (let turn = 0; turn < IDLE_CYCLES; turn += 1) {
    const startedAt = performance.now()
    await cycle(pool, Date.now())
    took.push(performance.now() - startedAt)
  }
  return { ms: percentile(took, 50), commands: (commands() - before) / IDLE_CYCLES }
}

/** A cycle in which every machine is due for a check. */
async function dueCycle(pool: PoolStore, vms: number): Promise<number> {
  const startedAt = performance.now()
  const started = await cycle(pool, Date.now() + 7_200_000)
  const tookMs = performance.now() - startedAt
  if (started !== vms) throw new Error(`${started} of ${vms} machines were due.`)
  return Math.round(tookMs)
}
