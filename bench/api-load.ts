import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'

/** One request as it goes over the wire. */
export type Wire = Buffer

export interface Load {
  readonly port: number
  readonly connections: number
  /** The request of a number; the same buffer may be given again and again. */
  readonly request: (index: number) => Wire
  readonly durationMs?: number
  readonly count?: number
}

export interface Loaded {
  /** Each request's time in milliseconds. */
  readonly latencies: number[]
  readonly elapsedMs: number
}

const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = /\r\ncontent-length: (\d+)/i

/**
 * Sends requests one after the other on each of several kept connections, with as little work of its own as possible:
 * of an answer only the status and the length are read.
 *
 * @throws Error for an answer that is no success
 */
export async function load(options: Load): Promise<Loaded> {
  const { connections, durationMs = Number.POSITIVE_INFINITY, count = Number.POSITIVE_INFINITY } = options
  const latencies: number[] = []
  const started = performance.now()
  let next = 0
  const take = (): Wire | undefined => {
    if (next >= count || performance.now() - started >= durationMs) return undefined
    next += 1
    return options.request(next - 1)
  }
  await Promise.all(Array.from({ length: connections }, async () => await drive(options.port, take, latencies)))
  return { latencies, elapsedMs: performance.now() - started }
}

async function drive(port: number, take: () => Wire | undefined, latencies: number[]): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  const done = Promise.withResolvers<void>()
  let sent = 0
  let missing = -1
  const send = (): void => {
    const wire = take()
    if (wire === undefined) {
      done.resolve()
      return
    }
    missing = -1
    sent = performance.now()
    socket.write(wire)
  }
  socket.on('data', (chunk: Buffer) => {
    try {
      missing = missing === -1 ? announced(chunk) : missing - chunk.length
    } catch (error) {
      done.reject(error)
      return
    }
    if (missing > 0) return
    latencies.push(performance.now() - sent)
    send()
  })
  socket.on('error', done.reject).on('connect', send)
  await settled(done.promise, socket)
}

/** @returns how many bytes of the answer have not come yet */
function announced(chunk: Buffer): number {
  const end = chunk.indexOf(HEAD_END)
  const head = chunk.toString('latin1', 0, end)
  if (!head.startsWith('HTTP/1.1 2')) throw new Error(`The server answered ${chunk.toString('utf8')}`)
  return end + HEAD_END.length + Number(LENGTH.exec(head)?.[1] ?? '0') - chunk.length
}

async function settled(work: Promise<void>, socket: Socket): Promise<void> {
  try {
    await work
  } finally {
    socket.destroy()
  }
}

/** Puts a request into bytes once. */
export function wire(
  method: string,
  target: string,
  headers: readonly (readonly [name: string, value: string])[],
  body = '',
): Wire {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
}
