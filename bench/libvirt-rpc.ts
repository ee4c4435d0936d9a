import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connectLibvirt } from '@mainstay/libvirt-rpc'
import type { Domain, LibvirtConnection } from '@mainstay/libvirt-rpc'
import { missingForLibvirt } from '../test/real/lab/requirements.ts'
import { PrivateLibvirtd } from '../test/real/lab/private-libvirtd.ts'
import { tinyDomainXml } from '../test/real/lab/tiny-domain.ts'
import type { BenchOptions, BenchResult } from './run.ts'

const WARM_UP_MS = 1_000
const MEASURE_MS = 4_000
const ROUNDS = 3

/** Calls per second to a real libvirtd, beside one virsh process for each call. See `libvirt-rpc.md`. */
export async function run({ log }: BenchOptions): Promise<BenchResult[]> {
  const missing = missingForLibvirt()
  if (missing !== undefined) throw new Error(missing)
  await using host = await PrivateLibvirtd.start()
  await using connection = await connectLibvirt({ socketPath: host.socketPath })
  const guest = await connection.create(await connection.defineXml(tinyDomainXml({ name: 'bench' })))
  // One QEMU takes a processor while its BIOS looks for something to boot; paused, it takes none.
  await connection.suspend(guest)
  const daemonPid = await host.daemonPid()
  if (daemonPid === undefined) throw new Error('libvirtd has ended.')

  const results: BenchResult[] = []
  for (const { call, virshArguments, ours } of calls(connection, guest)) {
    const theirs = async (): Promise<void> => spawnVirsh(host.uri, [...virshArguments])
    const figures: { readonly virsh: Figures[]; readonly alone: Figures[]; readonly window: Figures[] } = {
      virsh: [],
      alone: [],
      window: [],
    }
    // Turn by turn, so that a disturbance of the machine meets all three.
    for (let round = 0; round < ROUNDS; round++) {
      figures.virsh.push(await measure(theirs, 1, daemonPid))
      figures.alone.push(await measure(ours, 1, daemonPid))
      figures.window.push(await measure(ours, 4, daemonPid))
    }
    results.push(...compare({ call, in_flight: 1 }, figures.alone, figures.virsh))
    results.push(...compare({ call, in_flight: 4 }, figures.window, figures.virsh))
    for (const { metric, params, value, baseline } of results.slice(-4)) {
      log(`${call}, ${params['in_flight']} in flight: ${metric} ${value}; virsh ${baseline?.value}`)
    }
  }
  return results
}

interface Figures {
  readonly perSecond: number
  /** Processor time of this process, of the virsh processes and of libvirtd. */
  readonly cpuMsPerCall: number
}

function compare(params: BenchResult['params'], ours: readonly Figures[], virsh: readonly Figures[]): BenchResult[] {
  const rate = median(ours.map(({ perSecond }) => perSecond))
  const virshRate = median(virsh.map(({ perSecond }) => perSecond))
  const cpu = median(ours.map(({ cpuMsPerCall }) => cpuMsPerCall))
  const virshCpu = median(virsh.map(({ cpuMsPerCall }) => cpuMsPerCall))
  const name = 'one virsh process per call'
  return [
    {
      metric: 'libvirt_calls_per_s',
      params,
      value: significant(rate),
      unit: '1/s',
      baseline: { name, value: significant(virshRate) },
      ratio: significant(rate / virshRate),
    },
    {
      metric: 'libvirt_cpu_ms_per_call',
      params,
      value: significant(cpu),
      unit: 'ms',
      baseline: { name, value: significant(virshCpu) },
      ratio: significant(cpu / virshCpu),
    },
  ]
}

interface BenchedCall {
  readonly call: string
  readonly virshArguments: readonly string[]
  readonly ours: () => Promise<unknown>
}

const calls = (connection: LibvirtConnection, guest: Domain): readonly BenchedCall[] => [
  { call: 'domstate', virshArguments: ['domstate', guest.name], ours: () => connection.getState(guest) },
  { call: 'list', virshArguments: ['list', '--all', '--name'], ours: () => connection.listAllDomains() },
  { call: 'dumpxml', virshArguments: ['dumpxml', guest.name], ours: () => connection.getXml(guest) },
]

/** Waits only for the end of the process: reading its output would be charged to virsh otherwise. */
async function spawnVirsh(uri: string, virshArguments: readonly string[]): Promise<void> {
  const [code] = await once(spawn('virsh', ['-c', uri, ...virshArguments], { stdio: 'ignore' }), 'exit')
  if (code !== 0) throw new Error(`virsh ${virshArguments.join(' ')} ended with ${code}.`)
}

async function measure(call: () => Promise<unknown>, workers: number, daemonPid: number): Promise<Figures> {
  await callFor(call, workers, WARM_UP_MS)
  const cpuBefore = await cpuMs(daemonPid)
  const startedAt = performance.now()
  const count = await callFor(call, workers, MEASURE_MS)
  const perSecond = (count / (performance.now() - startedAt)) * 1_000
  return { perSecond, cpuMsPerCall: ((await cpuMs(daemonPid)) - cpuBefore) / count }
}

/** Time that the kernel has charged so far, in its unit of 10 ms: to us, to our ended children, to libvirtd. */
async function cpuMs(daemonPid: number): Promise<number> {
  const [self, daemon] = await Promise.all(['self', daemonPid].map((pid) => readFile(`/proc/${pid}/stat`, 'utf8')))
  // After the name in parentheses: user, system, children's user, children's system time are fields 12 to 15.
  const times = (stat: string, count: number): number =>
    stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 11 + count)
      .reduce((sum, ticks) => sum + Number(ticks), 0)
  return (times(self!, 4) + times(daemon!, 2)) * 10
}

async function callFor(call: () => Promise<unknown>, workers: number, ms: number): Promise<number> {
  const end = performance.now() + ms
  let count = 0
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      await call()
      count += 1
    }
  }
  await Promise.all(Array.from({ length: workers }, worker))
  return count
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

/** Three digits are more than a shared machine can repeat. */
const significant = (value: number): number => Number(value.toPrecision(3))
