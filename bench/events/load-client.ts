import { connect, type Socket } from 'node:net'

import { FrameCounter, LatencyCounter, NatsCounter, PONG, type Counter } from './frame-counters.ts'
import { serveParent } from './parent.ts'

/** What the process that measures asks of this one. */
export interface ClientCalls {
  /** Opens connections; settles when each has had its first answers. */
  open: [connections: OpenOptions, result: undefined]
  /** Settles when each connection has had so many events. */
  untilEach: [count: number, result: undefined]
  /** How long events were on their way since the last time, in milliseconds. */
  latencies: [nothing: undefined, result: number[]]
  /** One of them reads nothing from now on, and counts for nothing. */
  stallOne: [nothing: undefined, result: undefined]
  close: [nothing: undefined, result: undefined]
}

export interface OpenOptions {
  readonly port: number
  readonly path: string
  readonly count: number
  readonly kind: 'frames' | 'latency' | 'nats'
  /** The subprotocol that is offered. */
  readonly protocol?: string
  /** Texts that each connection sends first; `{n}` is its number, counted over all processes from here. */
  readonly say?: readonly string[]
  readonly firstNumber?: number
  /** Frames that the server sends before events. */
  readonly greetings: number
}

interface Connection {
  readonly socket: Socket
  readonly counter: Counter
  opened: boolean
}

const READ_BYTES = 64 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')

let connections: Connection[] = []
let greetings = 0
/** Called whenever something has come. */
let onProgress = (): void => {}

serveParent<ClientCalls>({
  open: async (options) => {
    greetings = options.greetings
    for (let index = 0; index < options.count; index += 1) {
      connections.push(await openOne(options, (options.firstNumber ?? 0) + index))
    }
    await until(() => connections.every(({ counter }) => counter.count >= greetings))
  },
  untilEach: async (count) => {
    // Connections end one after the other: where the search stopped it goes on.
    let done = 0
    await until(() => {
      while (done < connections.length && connections[done]!.counter.count >= count + greetings) done += 1
      return done === connections.length
    })
  },
  latencies: async () =>
    connections.flatMap(({ counter }) => (counter instanceof LatencyCounter ? counter.take() : [])),
  stallOne: async () => {
    const [stalled] = connections.splice(0, 1)
    stalled?.socket.pause()
    stalled?.socket.on('error', () => {})
  },
  close: async () => {
    for (const { socket } of connections) socket.destroy()
    connections = []
  },
})

async function until(condition: () => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    onProgress = () => {
      if (!condition()) return
      onProgress = () => {}
      resolve()
    }
    onProgress()
  })
}

async function openOne(options: OpenOptions, number: number): Promise<Connection> {
  const opened = Promise.withResolvers<Connection>()
  const counter = counterOf(options.kind, () => socket.write(PONG))
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  const socket = connect({
    host: '127.0.0.1',
    port: options.port,
    noDelay: true,
    // One buffer for each connection, because what is read is counted and forgotten.
    onread: {
      buffer,
      callback: (bytes) => {
        receive(connection, buffer.subarray(0, bytes), () => opened.resolve(connection))
        onProgress()
        return true
      },
    },
  })
  const connection: Connection = { socket, counter, opened: false }
  socket.on('error', opened.reject)
  socket.on('connect', () => socket.write(handshake(options)))
  await opened.promise
  for (const text of options.say ?? []) socket.write(maskedText(text.replaceAll('{n}', String(number))))
  return connection
}

function receive(connection: Connection, bytes: Buffer, onOpen: () => void): void {
  if (connection.opened) return connection.counter.push(bytes)
  const end = bytes.indexOf(HEAD_END)
  const head = bytes.toString('latin1', 0, end)
  if (!head.startsWith('HTTP/1.1 101')) throw new Error(`The server answered ${head}`)
  connection.opened = true
  connection.counter.push(bytes.subarray(end + HEAD_END.length))
  onOpen()
}

function counterOf(kind: OpenOptions['kind'], onPing: () => void): Counter {
  if (kind === 'nats') return new NatsCounter(onPing)
  return kind === 'latency' ? new LatencyCounter(onPing) : new FrameCounter(onPing)
}

function handshake({ path, protocol }: OpenOptions): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A short text of a client; the mask of zeros changes nothing. */
function maskedText(text: string): Buffer {
  const payload = Buffer.from(text)
  if (payload.length > 65_535) throw new Error('The load client says short things only.')
  const head = payload.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8)
  head[0] = 0x81
  head[1] = 0x80 | (payload.length < 126 ? payload.length : 126)
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}
