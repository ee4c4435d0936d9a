import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { DomainEventId, LifecycleEvent, connectLibvirt, type LibvirtConnection } from '@mainstay/libvirt-rpc'

import { LibvirtCompute } from '../../packages/mainstay/src/compute/libvirt/index.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SqliteStore } from '../../packages/mainstay/src/store/index.ts'
import { waitUntil } from '../../test/real/lab/wait-until.ts'
import { RecoveryLab, type Guest } from '../../test/real/support/recovery-lab.ts'
import type { BenchOptions, BenchResult } from '../run.ts'
import { percentile } from './statistics.ts'

const HOST = 'bench-host'
const SAMPLES = 24
const MEASURE_MS = 4000

interface Sample {
  /** From the event "stopped, failed" to the step that calls start. */
  readonly toStartMs: number
  /** From the event "stopped, failed" to the event "started". */
  readonly toRunningMs: number
}

/**
 * A real libvirtd, `mainstay serve` and `mainstay agent` as processes of their own; an independent client hears the
 * events. Each guest is used once: the monitor tells the same failure of the same guest only every ten seconds.
 */
export async function eventToStart({ log }: BenchOptions): Promise<BenchResult[]> {
  await using lab = await RecoveryLab.start({ names: [HOST] })
  await lab.serve()
  await lab.createSegment('auto')
  await lab.agent(HOST)
  await using connection = await connectLibvirt({ socketPath: lab.host(HOST).socketPath })
  const heard = new Heard()
  await heard.listen(connection)
  const samples: Sample[] = []
  const own: number[] = []
  for (let number = 0; number < SAMPLES; number += 1) {
    const guest = await lab.define(HOST, `guest-${number}`, { start: false })
    const domain = { name: guest.name, uuid: guest.uuid }
    const startedAt = performance.now()
    await connection.create(domain)
    own.push(performance.now() - startedAt)
    samples.push(await killAndWait(lab, heard, guest))
    await connection.destroy(domain)
    await connection.undefine(domain)
  }
  const figures = [
    ['libvirt_event_to_start_ms', samples.map(({ toStartMs }) => toStartMs)],
    ['libvirt_event_to_running_ms', samples.map(({ toRunningMs }) => toRunningMs)],
    ['libvirt_own_start_ms', own],
  ] as const
  return figures.flatMap(([metric, values]) =>
    [50, 99].map((percent) => {
      const value = percentile(values, percent)
      log(`${metric} p${percent} of ${values.length}: ${value} ms`)
      return { metric, params: { percentile: percent, samples: values.length }, value, unit: 'ms' }
    }),
  )
}

async function killAndWait(lab: RecoveryLab, heard: Heard, guest: Guest): Promise<Sample> {
  await heard.of(guest, LifecycleEvent.STARTED, 1)
  await lab.host(HOST).killQemu(guest.name)
  const failedAt = await heard.of(guest, LifecycleEvent.STOPPED, 1)
  const runningAt = await heard.of(guest, LifecycleEvent.STARTED, 2)
  const id = await lab.reported(guest)
  await lab.until(id, ['completed'])
  const shown = await lab.mainstay('recovery', 'show', id, '-f', 'json')
  const { steps } = JSON.parse(shown) as { steps: readonly { readonly key: string; readonly at: string }[] }
  const start = steps.find(({ key }) => key.endsWith('/StartInstanceTask'))
  if (start === undefined) throw new Error(`Recovery ${id} has no step that starts.`)
  return { toStartMs: Date.parse(start.at) - failedAt, toRunningMs: runningAt - failedAt }
}

/** What the independent client was told, and when. */
class Heard {
  readonly #events: { readonly uuid: string; readonly event: number; readonly at: number }[] = []

  async listen(connection: LibvirtConnection): Promise<void> {
    await connection.subscribe(DomainEventId.LIFECYCLE, {}, ({ domain, event }) => {
      this.#events.push({ uuid: domain.uuid, event, at: Date.now() })
    })
  }

  /** When a guest had the event for the nth time; waits for it. */
  async of({ uuid, name }: Guest, wanted: number, nth: number): Promise<number> {
    const find = (): number | undefined =>
      this.#events.filter((each) => each.uuid === uuid && each.event === wanted)[nth - 1]?.at
    return await waitUntil(find, { timeoutMs: 60_000, what: `event ${wanted} of ${name}`, pollMs: 5 })
  }
}

/** How often the driver that recoveries act through can look at a guest, beside one virsh process for each look. */
export async function callsPerSecond({ log }: BenchOptions): Promise<BenchResult[]> {
  await using lab = await RecoveryLab.start({ names: [HOST] })
  const { uuid, name } = await lab.define(HOST, 'guest', { start: false })
  const { socketPath, uri } = lab.host(HOST)
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-bench-'))
  const clock = new SystemClock()
  const store = SqliteStore.open({ path: join(directory, 'bench.db') })
  try {
    await store.migrate()
    const services = { clock, ids: new SystemIds(), logger: silentLogger(), store }
    const compute = await LibvirtCompute.open({ ...services, hosts: [{ name: HOST, socketPath }] })
    const { signal } = new AbortController()
    const look = async (): Promise<void> => void (await compute.findInstance(uuid, { signal }))
    const virsh = await perSecond(async () => await spawnVirsh(['-c', uri, 'domstate', name]), 1)
    const results: BenchResult[] = []
    for (const inFlight of [1, 4]) {
      const value = await perSecond(look, inFlight)
      log(`looks at a guest, ${inFlight} in flight: ${value}/s; virsh ${virsh}/s`)
      results.push({
        metric: 'libvirt_calls_per_s',
        params: { call: 'findInstance', in_flight: inFlight },
        value,
        unit: '1/s',
        baseline: { name: 'one virsh process per look', value: virsh },
        ratio: Math.round(value / virsh),
      })
    }
    await compute.close()
    return results
  } finally {
    await store.close()
    await rm(directory, { recursive: true, force: true })
  }
}

async function spawnVirsh(args: readonly string[]): Promise<void> {
  const [code] = (await once(spawn('virsh', args, { stdio: 'ignore' }), 'exit')) as [number | null]
  if (code !== 0) throw new Error(`virsh ${args.join(' ')} ended with ${code}.`)
}

async function perSecond(call: () => Promise<void>, workers: number): Promise<number> {
  const startedAt = performance.now()
  let count = 0
  const work = async (): Promise<void> => {
    for (; performance.now() - startedAt < MEASURE_MS; count += 1) await call()
  }
  await Promise.all(Array.from({ length: workers }, work))
  return Math.round((count / (performance.now() - startedAt)) * 1000)
}
