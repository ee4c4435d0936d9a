import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createClient, type MainstayClient, type Recovery } from '../../packages/mainstay/src/client/index.ts'
import { runningCopies } from '../../packages/mainstay/src/compute/simulated/index.ts'
import { formatZulu } from '../../packages/mainstay/src/core/timestamp.ts'
import { loadConfig, startServer, type RunningServer } from '../../packages/mainstay/src/server/index.ts'
import { waitUntil } from '../../test/real/lab/wait-until.ts'
import type { BenchOptions, BenchResult } from '../run.ts'
import { percentile } from './statistics.ts'

const WARM_UP = 10
const RUNS = 200
const GUESTS_PER_HOST = 5

const REBUILD_S = 20
const GUESTS = 100
const TARGETS = 20

/** The whole server with a simulated fleet whose hosts all stand in one segment. */
class Fleet implements AsyncDisposable {
  readonly client: MainstayClient
  readonly #server: RunningServer
  readonly #directory: string

  private constructor(server: RunningServer, directory: string) {
    this.#server = server
    this.#directory = directory
    this.client = createClient({ endpoint: server.url })
  }

  static async start(set: readonly string[]): Promise<Fleet> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-bench-'))
    const own = ['server.listen=127.0.0.1:0', `server.data_dir=${directory}`, 'log.level=error']
    const fleet = new Fleet(await startServer(await loadConfig({ set: [...own, ...set] })), directory)
    const segment = await fleet.client.segments.create({ name: 's', recovery_method: 'auto', service_type: 'COMPUTE' })
    for (const name of fleet.hosts) {
      await fleet.client.hosts.create(segment.uuid, { name, type: 'COMPUTE', control_attributes: 'SSH' })
    }
    return fleet
  }

  get hosts(): string[] {
    return [...this.#world.hosts.keys()]
  }

  guestsOf(host: string): string[] {
    return [...this.#world.hosts.get(host)!.guests].map(({ uuid }) => uuid)
  }

  runsOn(guest: string): readonly string[] {
    return runningCopies(this.#world, guest)
  }

  /** Cuts the power of a host and reports it. @returns the recovery's id, once the report is stored */
  async fail(host: string): Promise<string> {
    this.#simulated.killHost(host)
    const report = await this.client.notifications.create({
      type: 'COMPUTE_HOST',
      hostname: host,
      generated_time: formatZulu(Date.now()),
      payload: { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' },
    })
    return report.notification_uuid
  }

  /** @throws Error when the recovery did not bring everything back */
  async recovered(id: string, timeoutMs: number): Promise<Recovery> {
    const ended = await waitUntil(
      async () => {
        const recovery = await this.client.recoveries.show(id)
        return recovery.finishedAt !== null && recovery
      },
      { timeoutMs, what: `the end of recovery ${id}`, pollMs: 50 },
    )
    if (ended.status !== 'completed') throw new Error(`Recovery ${id} is ${ended.status}: ${ended.outcome}`)
    return ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  get #simulated() {
    return this.#server.compute.simulated!.fleet
  }

  get #world() {
    return this.#simulated.world
  }
}

/**
 * From the moment a report is sent to the first call that evacuates a guest. The sending is counted too, so this is
 * more than the time from "accepted". Nothing outside takes time: fence, platform and guests answer at once.
 */
export async function firstEvacuation({ log }: BenchOptions): Promise<BenchResult[]> {
  // Dead hosts stay dead, so three of four are there only to take their guests in.
  const hosts = 4 * (WARM_UP + RUNS)
  const size = [`compute.simulated_hosts=${hosts}`, `compute.simulated_guests=${hosts * GUESTS_PER_HOST}`]
  const instant = ['start', 'evacuate', 'power'].map((what) => `compute.simulated_${what}_ms=0`)
  await using fleet = await Fleet.start([...size, ...instant])
  const firstAt = new Map<string, number>()
  const onActing = (message: unknown): void => {
    const { workflowId, key } = message as { workflowId: string; key: string }
    if (key.endsWith('/evacuate') && !firstAt.has(workflowId)) firstAt.set(workflowId, performance.now())
  }
  subscribe('mainstay.journal.acting', onActing)
  try {
    const samples: number[] = []
    for (const host of fleet.hosts.filter((name) => fleet.guestsOf(name).length > 0).slice(0, WARM_UP + RUNS)) {
      const sentAt = performance.now()
      const id = await fleet.fail(host)
      await fleet.recovered(id, 30_000)
      samples.push(firstAt.get(id)! - sentAt)
    }
    const counted = samples.slice(WARM_UP)
    return [50, 99].map((percent) => {
      const value = percentile(counted, percent)
      log(`report sent to first evacuation, p${percent} of ${counted.length}: ${value} ms`)
      const params = { percentile: percent, samples: counted.length, guests: GUESTS_PER_HOST }
      return { metric: 'accepted_to_first_evacuate_ms', params, value, unit: 'ms' }
    })
  } finally {
    unsubscribe('mainstay.journal.acting', onActing)
  }
}

/** From the power cut of a host with 100 guests until all run elsewhere, in real time; a rebuild takes 20 s. */
export async function allRunning({ log }: BenchOptions): Promise<BenchResult[]> {
  const results: BenchResult[] = []
  for (const atOnce of [undefined, GUESTS]) {
    const hosts = TARGETS + 1
    const size = [`compute.simulated_hosts=${hosts}`, `compute.simulated_guests=${GUESTS * hosts}`]
    const times = [`compute.simulated_evacuate_ms=${REBUILD_S * 1000}`, 'compute.simulated_power_ms=0']
    const limit = atOnce === undefined ? [] : [`recovery.evacuations_at_once=${atOnce}`]
    await using fleet = await Fleet.start([...size, ...times, ...limit])
    const host = fleet.hosts.find((name) => fleet.guestsOf(name).length === GUESTS)
    if (host === undefined) throw new Error(`No host of the fleet has ${GUESTS} guests.`)
    const guests = fleet.guestsOf(host)
    const cutAt = performance.now()
    const recovery = await fleet.recovered(await fleet.fail(host), 180_000)
    const value = Number(((performance.now() - cutAt) / 1000).toFixed(1))
    const wrong = guests.filter((guest) => fleet.runsOn(guest).length !== 1 || fleet.runsOn(guest)[0] === host)
    if (wrong.length > 0) throw new Error(`${wrong.length} guests do not run exactly once, elsewhere.`)
    const name = atOnce ?? 'default'
    const parts = breakdown(recovery)
    log(`${GUESTS} guests, ${name} at once: all run after ${value} s (${describe(parts)})`)
    const params = { guests: GUESTS, rebuild_s: REBUILD_S, targets: TARGETS, at_once: name }
    results.push({ metric: 'guests_running_s', params, value, unit: 's' })
    for (const [part, ms] of Object.entries(parts)) {
      results.push({ metric: 'guests_running_part_ms', params: { ...params, part }, value: ms, unit: 'ms' })
    }
  }
  return results
}

/** Where the time went. Dispatch is one call's own time, on average; rebuild is what is left of the waiting. */
function breakdown({ timeline, steps }: Recovery): Record<string, number> {
  const lasted = (phase: string): number => timeline.find((each) => each.phase === phase)?.durationMs ?? 0
  const times = (suffix: string): number[] =>
    steps
      .filter(({ key }) => key.endsWith(suffix))
      .map(({ at, finishedAt }) => Date.parse(finishedAt ?? at) - Date.parse(at))
  const mean = (values: readonly number[]): number =>
    Math.round(values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length))
  return {
    detect: lasted('detect'),
    prove: lasted('prove'),
    decide: lasted('decide'),
    dispatch_per_guest: mean(times('/evacuate')),
    rebuild_per_guest: REBUILD_S * 1000,
    confirm_per_guest: mean(times('/confirm')) - REBUILD_S * 1000,
  }
}

function describe(parts: Record<string, number>): string {
  return Object.entries(parts)
    .map(([part, ms]) => `${part} ${ms} ms`)
    .join(', ')
}
