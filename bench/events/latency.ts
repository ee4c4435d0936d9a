import { percentile } from '../recovery/statistics.ts'
import type { BenchOptions, BenchResult } from '../run.ts'
import { median } from './fan-out.ts'
import type { ServerCalls } from './mainstay-server.ts'
import { Child } from './parent.ts'
import { LoadClients, WAYS } from './targets.ts'

const LOADS = [
  { clients: 100, rate: 50 },
  { clients: 500, rate: 10 },
]
const SECONDS = 3
const ROUNDS = 3

/** How long an event is on its way from the server's intake to a client, when few come. */
export async function latency({ log }: BenchOptions): Promise<BenchResult[]> {
  const results: BenchResult[] = []
  for (const { clients, rate } of LOADS) {
    const [ours, plain] = await inTurns(clients, rate)
    const text = (each: Percentiles): string => `p50 ${each.p50} ms, p99 ${each.p99} ms`
    log(`${clients} clients, ${rate} events/s: mainstay ${text(ours)}; plain ws ${text(plain)}`)
    for (const [name, percent] of [
      ['p50', 50],
      ['p99', 99],
    ] as const) {
      results.push({
        metric: 'delivery_ms',
        params: { clients, rate, percentile: percent },
        value: ours[name],
        unit: 'ms',
        baseline: { name: 'plain ws', value: plain[name] },
        ratio: Number((ours[name] / plain[name]).toFixed(2)),
      })
    }
  }
  return [...results, ...(await besideStalled(log))]
}

interface Percentiles {
  readonly p50: number
  readonly p99: number
}

async function inTurns(clients: number, rate: number): Promise<[ours: Percentiles, plain: Percentiles]> {
  const rounds: Record<'mainstay' | 'plain', Percentiles[]> = { mainstay: [], plain: [] }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const script of ['plain', 'mainstay'] as const) {
      rounds[script].push(await measure(script, { clients, rate, seconds: SECONDS }))
    }
  }
  const middle = (each: readonly Percentiles[]): Percentiles => ({
    p50: median(each.map(({ p50 }) => p50)),
    p99: median(each.map(({ p99 }) => p99)),
  })
  return [middle(rounds.mainstay), middle(rounds.plain)]
}

interface Load {
  readonly clients: number
  readonly rate: number
  readonly seconds: number
  /** Bytes of an event's own. */
  readonly bytes?: number
  /** Whether one more client is connected that reads nothing. */
  readonly stalled?: boolean
}

async function measure(script: 'mainstay' | 'plain', load: Load): Promise<Percentiles & { grownBytes: number }> {
  const { clients, rate, seconds, bytes, stalled = false } = load
  await using server = new Child<ServerCalls>(`${script}-server.ts`, { execArgv: ['--expose-gc'] })
  await using readers = new LoadClients(clients)
  await using other = new LoadClients(1)
  const port = await server.ask('start', undefined)
  const way = { port, kind: 'latency', ...WAYS.compat } as const
  await readers.open(way)
  if (stalled) await other.open(way)
  await server.ask('connected', clients + (stalled ? 1 : 0))
  if (stalled) await other.processes[0]!.ask('stallOne', undefined)
  const pace = { everyMs: 1000 / rate, ...(bytes === undefined ? {} : { bytes }) }
  await server.ask('pace', { ...pace, count: rate })
  await readers.untilEach(rate)
  // The first second warms up.
  await readers.latencies()
  const before = await server.ask('memory', undefined)
  await Promise.all([readers.untilEach(rate * (seconds + 1)), server.ask('pace', { ...pace, count: rate * seconds })])
  const grownBytes = (await server.ask('memory', undefined)) - before
  const all = await readers.latencies()
  return { p50: fine(all, 50), p99: fine(all, 99), grownBytes }
}

/** {@link percentile} in hundredths. */
function fine(samples: readonly number[], percent: number): number {
  return Number(
    (
      percentile(
        samples.map((each) => each * 10),
        percent,
      ) / 10
    ).toFixed(2),
  )
}

const STALLED = { clients: 19, rate: 200, seconds: 10, bytes: 4096 }

/** What one client that reads nothing costs nineteen others and the server's memory. Source: event-stream.md R22. */
async function besideStalled(log: (line: string) => void): Promise<BenchResult[]> {
  const rounds = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const without = await measure('mainstay', STALLED)
    const beside = await measure('mainstay', { ...STALLED, stalled: true })
    rounds.push({ without, beside, ratio: beside.p99 / without.p99, grown: beside.grownBytes - without.grownBytes })
  }
  const ratio = Number(median(rounds.map((each) => each.ratio)).toFixed(2))
  const grown = median(rounds.map((each) => each.grown))
  log(`one of twenty reads nothing: p99 of the others ${ratio} times that without it, ${grown} bytes more memory`)
  const params = { clients: STALLED.clients + 1, rate: STALLED.rate }
  return [
    { metric: 'stalled_p99_ratio', params, value: ratio, unit: 'times' },
    { metric: 'stalled_memory_bytes', params, value: grown, unit: 'bytes' },
  ]
}
