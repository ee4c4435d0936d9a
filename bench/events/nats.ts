import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

import { Cluster, type ServerSpec } from '@mainstay/testkit'

import { formatCompat } from '../../packages/mainstay/src/events/format/compat.ts'
import { findProgram } from '../../test/support/need.ts'
import type { LoadClients } from './targets.ts'
import { sampleEvent } from './sample-event.ts'

/** Where Debian puts it. */
const PROGRAM = 'nats-server'
const SUBJECT = 'events'
const STREAM = 'EVENTS'
const START_MS = 30_000

/** Publications to JetStream that are on their way without being acknowledged. */
const WINDOW = 256

export function natsServerPath(): string | undefined {
  return findProgram({ program: PROGRAM, directories: ['/usr/sbin'] })
}

/** As it is by default, with WebSocket and with JetStream on file storage. */
function natsServer(program: string): ServerSpec {
  return {
    name: 'nats',
    command: ({ etc }) => [program, '-c', `${etc}/nats.conf`],
    listen: [
      { name: 'nats', handover: 'none' },
      { name: 'web', handover: 'none' },
    ],
    files: [
      {
        name: 'nats.conf',
        content: ({ ports, dataDir }) =>
          [
            `listen: 127.0.0.1:${ports['nats']}`,
            `websocket { listen: "127.0.0.1:${ports['web']}", no_tls: true }`,
            `jetstream { store_dir: "${dataDir}" }`,
          ].join('\n'),
      },
    ],
    ready: { all: [{ port: 'nats' }, { port: 'web' }] },
    startTimeoutMs: START_MS,
  }
}

/** A nats-server of our own. */
export class NatsServer implements AsyncDisposable {
  readonly webSocketPort: number
  readonly #cluster: Cluster
  readonly #publisher: NatsPublisher
  #number = 0

  private constructor(cluster: Cluster, publisher: NatsPublisher) {
    this.#cluster = cluster
    this.webSocketPort = cluster.get('nats').ports['web']!
    this.#publisher = publisher
  }

  static async start(program: string): Promise<NatsServer> {
    const cluster = await Cluster.create({ name: 'bench-nats', servers: [natsServer(program)] })
    try {
      await cluster.startAll()
      return new NatsServer(cluster, await NatsPublisher.connect(cluster.get('nats').port))
    } catch (error) {
      await cluster.dispose({ failed: true })
      throw error
    }
  }

  /** Connects clients that take what is published, or what the stream delivers to each of them. */
  async openClients(clients: LoadClients, count: number, { jetStream }: { jetStream: boolean }): Promise<void> {
    const connectLine = 'CONNECT {"verbose":false,"pedantic":false}\r\n'
    await clients.open({
      port: this.webSocketPort,
      path: '/',
      kind: 'nats',
      say: [connectLine, jetStream ? 'SUB deliver.{n} 1\r\n' : `SUB ${SUBJECT} 1\r\n`, 'PING\r\n'],
      greetings: 0,
    })
    if (!jetStream) return
    const stream = { name: STREAM, subjects: [SUBJECT], storage: 'file', retention: 'limits' }
    await this.#publisher.request(`$JS.API.STREAM.CREATE.${STREAM}`, stream)
    for (let number = 0; number < count; number += 1) {
      await this.#publisher.request(`$JS.API.CONSUMER.CREATE.${STREAM}`, {
        stream_name: STREAM,
        config: {
          deliver_subject: `deliver.${number}`,
          deliver_policy: 'all',
          ack_policy: 'none',
          replay_policy: 'instant',
        },
      })
    }
  }

  /** Publishes so many events as fast as they are taken. */
  async burst(count: number, { jetStream }: { jetStream: boolean }): Promise<void> {
    for (let done = 0; done < count; done += WINDOW) {
      const texts = Array.from({ length: Math.min(WINDOW, count - done) }, () => this.#text())
      if (jetStream) await this.#publisher.publishAcknowledged(SUBJECT, texts)
      else await this.#publisher.publish(SUBJECT, texts)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#publisher.close()
    await this.#cluster.dispose()
  }

  #text(): string {
    const number = (this.#number += 1)
    return formatCompat({ ...sampleEvent(number), seq: number, epoch: 'e', cursor: `e:${number}` })
  }
}

/** Speaks as much of the NATS protocol as publishing takes. */
class NatsPublisher {
  readonly #socket: Socket
  #rest = ''
  #skip = 0
  #onMessage: (body: string) => void = () => {}
  #replies = 0

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  static async connect(port: number): Promise<NatsPublisher> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    const publisher = new NatsPublisher(socket)
    socket.setEncoding('latin1').on('data', (text: string) => publisher.#receive(text))
    socket.write('CONNECT {"verbose":false,"pedantic":false}\r\nSUB reply.* 1\r\n')
    return publisher
  }

  /** Hands messages over; settles when the socket has room again. */
  async publish(subject: string, texts: readonly string[], reply = ''): Promise<void> {
    const lines = texts.map((text) => `PUB ${subject} ${reply}${Buffer.byteLength(text)}\r\n${text}\r\n`)
    if (!this.#socket.write(lines.join(''))) await once(this.#socket, 'drain')
  }

  /** Publishes to a stream; settles when it has stored all of them. */
  async publishAcknowledged(subject: string, texts: readonly string[]): Promise<void> {
    const all = Promise.withResolvers<void>()
    let missing = texts.length
    this.#onMessage = (body) => {
      if (body.includes('"error"')) all.reject(new Error(`JetStream answered ${body}`))
      missing -= 1
      if (missing === 0) all.resolve()
    }
    await this.publish(subject, texts, 'reply.ack ')
    await all.promise
  }

  async request(subject: string, body: unknown): Promise<void> {
    const answer = Promise.withResolvers<void>()
    this.#onMessage = (text) => {
      if (text.includes('"error"')) answer.reject(new Error(`${subject} answered ${text}`))
      else answer.resolve()
    }
    this.#replies += 1
    await this.publish(subject, [JSON.stringify(body)], `reply.${this.#replies} `)
    await answer.promise
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(text: string): void {
    this.#rest += text
    for (;;) {
      if (this.#skip > 0) {
        if (this.#rest.length < this.#skip) return
        this.#onMessage(this.#rest.slice(0, this.#skip - '\r\n'.length))
        this.#rest = this.#rest.slice(this.#skip)
        this.#skip = 0
      }
      const end = this.#rest.indexOf('\r\n')
      if (end === -1) return
      const line = this.#rest.slice(0, end)
      this.#rest = this.#rest.slice(end + 2)
      if (line === 'PING') this.#socket.write('PONG\r\n')
      if (line.startsWith('-ERR')) throw new Error(`nats-server says ${line}`)
      if (line.startsWith('MSG ')) this.#skip = Number(line.slice(line.lastIndexOf(' ') + 1)) + '\r\n'.length
    }
  }
}
