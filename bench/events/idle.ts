import type { BenchOptions, BenchResult } from '../run.ts'
import type { ServerCalls } from './mainstay-server.ts'
import { Child } from './parent.ts'
import { LoadClients, WAYS } from './targets.ts'

/** Connected before it counts, so that what is made once is made. */
const WARM_UP = 500
const CONNECTIONS = 4000

/** How much memory of the server an open connection takes on which nothing happens. */
export async function idleConnections({ log }: BenchOptions): Promise<BenchResult[]> {
  const ours = await measure('mainstay')
  const plain = await measure('plain')
  log(`an idle connection takes ${ours} bytes; of plain ws ${plain}`)
  return [
    {
      metric: 'idle_connection_bytes',
      params: { connections: CONNECTIONS },
      value: ours,
      unit: 'bytes',
      baseline: { name: 'plain ws', value: plain },
      ratio: Number((ours / plain).toFixed(2)),
    },
  ]
}

async function measure(script: 'mainstay' | 'plain'): Promise<number> {
  await using server = new Child<ServerCalls>(`${script}-server.ts`, { execArgv: ['--expose-gc'] })
  await using first = new LoadClients(WARM_UP)
  await using clients = new LoadClients(CONNECTIONS)
  const port = await server.ask('start', undefined)
  const way = { port, kind: 'frames', path: WAYS.native.path, greetings: script === 'mainstay' ? 1 : 0 } as const
  await first.open(way)
  await server.ask('connected', WARM_UP)
  const before = await server.ask('memory', undefined)
  await clients.open(way)
  await server.ask('connected', WARM_UP + CONNECTIONS)
  return Math.round(((await server.ask('memory', undefined)) - before) / CONNECTIONS)
}
