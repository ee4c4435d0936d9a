import type { BenchOptions, BenchResult } from '../run.ts'
import type { ServerCalls } from './mainstay-server.ts'
import { Child } from './parent.ts'
import { LoadClients, WAYS } from './targets.ts'

const EVENTS = 100_000
const ROUNDS = 3

/** Events a second that one client is given that asks for everything there is. */
export async function replay({ log }: BenchOptions): Promise<BenchResult[]> {
  await using server = new Child<ServerCalls>('mainstay-server.ts')
  const port = await server.ask('start', undefined)
  await server.ask('burst', EVENTS)
  let best = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    await using client = new LoadClients(1)
    const begun = performance.now()
    await client.open({ port, kind: 'frames', path: `${WAYS.native.path}?since=earliest`, greetings: 1 })
    await client.untilEach(EVENTS)
    best = Math.max(best, Math.round(EVENTS / ((performance.now() - begun) / 1000)))
  }
  log(`replay to one client: ${best} events/s`)
  return [{ metric: 'replay_per_s', params: { clients: 1, over: 'websocket' }, value: best, unit: '1/s' }]
}
