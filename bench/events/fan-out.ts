import type { BenchOptions, BenchResult } from '../run.ts'
import { natsServerPath } from './nats.ts'
import { natsTarget, nodeTarget, type Target } from './targets.ts'

const CLIENTS = [10, 100, 500]
/** Deliveries of one round, whatever the number of clients. */
const DELIVERIES = 400_000
/** The first one warms up. */
const ROUNDS = 4

/**
 * Events a second that reach clients, when they come as fast as the server takes them. All servers are up at the same
 * time and take turns, so that what else the machine does meets each of them alike; the median of the rounds counts.
 */
export async function fanOut({ log }: BenchOptions): Promise<BenchResult[]> {
  const results: BenchResult[] = []
  for (const clients of CLIENTS) results.push(...(await measure(clients, log)))
  return results
}

async function measure(clients: number, log: (line: string) => void): Promise<BenchResult[]> {
  await using cleanup = new AsyncDisposableStack()
  const targets: Target[] = [
    cleanup.use(await nodeTarget('plain', 'compat', clients)),
    cleanup.use(await nodeTarget('mainstay', 'compat', clients)),
    cleanup.use(await nodeTarget('mainstay', 'native', clients)),
  ]
  const nats = natsServerPath()
  if (nats === undefined) log('nats-server not found: apt-get install nats-server; its figures are left out')
  else {
    targets.push(cleanup.use(await natsTarget(nats, clients, false)))
    targets.push(cleanup.use(await natsTarget(nats, clients, true)))
  }
  const rates = new Map(targets.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const target of targets) {
      const begun = performance.now()
      await target.burst(DELIVERIES / clients)
      const rate = DELIVERIES / ((performance.now() - begun) / 1000)
      if (round > 0) rates.get(target.name)!.push(rate)
    }
  }
  const medians = new Map([...rates].map(([name, each]) => [name, Math.round(median(each))]))
  log(`${clients} clients, k/s: ${[...medians].map(([name, rate]) => `${name} ${Math.round(rate / 1000)}`).join(', ')}`)
  return describe(clients, medians)
}

/** Ours beside each of the others. The frames of the compatible endpoint are the very texts that the others send. */
function describe(clients: number, medians: ReadonlyMap<string, number>): BenchResult[] {
  const ours = medians.get('mainstay, compat')!
  const plain = { name: 'plain ws', value: medians.get('plain ws')! }
  const beside = (
    value: number,
    params: BenchResult['params'],
    baseline: { name: string; value: number },
  ): BenchResult => ({
    metric: 'deliveries_per_s',
    params: { clients, ...params },
    value,
    unit: '1/s',
    baseline,
    ratio: Number((value / baseline.value).toFixed(2)),
  })
  const others = ['NATS core', 'NATS JetStream'].flatMap((name) => {
    const value = medians.get(name)
    return value === undefined ? [] : [beside(ours, { beside: name }, { name, value })]
  })
  return [beside(ours, {}, plain), ...others, beside(medians.get('mainstay, native')!, { format: 'native' }, plain)]
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}
