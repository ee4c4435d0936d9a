import { COMPAT_PATH } from '../../packages/mainstay/src/events/compat/compat-endpoint.ts'
import { STREAM_PATH } from '../../packages/mainstay/src/events/stream-service.ts'
import type { ClientCalls, OpenOptions } from './load-client.ts'
import type { ServerCalls } from './mainstay-server.ts'
import { NatsServer } from './nats.ts'
import { Child } from './parent.ts'

/** One server with its own clients; all of them are up at the same time and take turns. */
export interface Target extends AsyncDisposable {
  readonly name: string
  /** Sends so many events as fast as it can; settles when each client has all of them. */
  burst(count: number): Promise<void>
}

/** A thousand clients of one process would measure that process. */
const CLIENTS_OF_A_PROCESS = 250

export type Way = 'compat' | 'native'

/** How clients of each kind come in, and what they are sent before events. */
export const WAYS: Readonly<Record<Way, Pick<OpenOptions, 'path' | 'greetings'>>> = {
  compat: { path: COMPAT_PATH, greetings: 0 },
  native: { path: STREAM_PATH, greetings: 1 },
}

export class LoadClients implements AsyncDisposable {
  readonly processes: readonly Child<ClientCalls>[]
  readonly #share: (index: number) => number

  constructor(count: number) {
    const processes = Math.ceil(count / CLIENTS_OF_A_PROCESS)
    this.processes = Array.from({ length: processes }, () => new Child<ClientCalls>('load-client.ts'))
    this.#share = (index) => Math.floor(((index + 1) * count) / processes) - Math.floor((index * count) / processes)
  }

  async open(options: Omit<OpenOptions, 'count'>): Promise<void> {
    let firstNumber = 0
    for (const [index, client] of this.processes.entries()) {
      const count = this.#share(index)
      await client.ask('open', { ...options, count, firstNumber })
      firstNumber += count
    }
  }

  async untilEach(count: number): Promise<void> {
    await Promise.all(this.processes.map(async (client) => await client.ask('untilEach', count)))
  }

  async latencies(): Promise<number[]> {
    return (await Promise.all(this.processes.map(async (client) => await client.ask('latencies', undefined)))).flat()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map(async (client) => await client[Symbol.asyncDispose]()))
  }
}

/** A server of ours, or one of plain `ws`, in a process of its own. */
export async function nodeTarget(script: 'mainstay' | 'plain', way: Way, clients: number): Promise<Target> {
  const server = new Child<ServerCalls>(`${script}-server.ts`)
  const load = new LoadClients(clients)
  const port = await server.ask('start', undefined)
  await load.open({ port, kind: 'frames', ...WAYS[way], ...(script === 'plain' ? { greetings: 0 } : {}) })
  await server.ask('connected', clients)
  let sent = 0
  return {
    name: script === 'plain' ? 'plain ws' : `mainstay, ${way}`,
    burst: async (count) => {
      sent += count
      await Promise.all([load.untilEach(sent), server.ask('burst', count)])
    },
    [Symbol.asyncDispose]: async () => {
      await load[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

export async function natsTarget(program: string, clients: number, jetStream: boolean): Promise<Target> {
  const server = await NatsServer.start(program)
  const load = new LoadClients(clients)
  await server.openClients(load, clients, { jetStream })
  let sent = 0
  return {
    name: jetStream ? 'NATS JetStream' : 'NATS core',
    burst: async (count) => {
      sent += count
      await Promise.all([load.untilEach(sent), server.burst(count, { jetStream })])
    },
    [Symbol.asyncDispose]: async () => {
      await load[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}
