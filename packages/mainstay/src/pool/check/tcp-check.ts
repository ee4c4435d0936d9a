import { connect, type Socket } from 'node:net'

import { errorMessage } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import { PASSED, addressOf, failed, type CheckOutcome, type HealthCheck } from './check.ts'

export interface TcpCheckOptions {
  readonly port: number
  /** What the first bytes that the machine sends must begin with, for example `SSH-2.0`; null if connecting is enough. */
  readonly greeting: string | null
}

/** Connects to a port, and reads how the machine greets where that matters. Source: vm-pool.md C7. */
export function tcpCheck({
  port,
  greeting = null,
}: Pick<TcpCheckOptions, 'port'> & Partial<TcpCheckOptions>): HealthCheck {
  return async (vm, { signal }) => {
    const host = addressOf(vm)
    signal.throwIfAborted()
    const outcome = Promise.withResolvers<CheckOutcome>()
    const socket = connect({ host, port })
    const onAbort = (): void => outcome.reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', (error) => outcome.resolve(failed(`${host}:${port}: ${errorMessage(error)}`)))
    socket.on('connect', () => {
      if (greeting === null) outcome.resolve(PASSED)
    })
    if (greeting !== null) listenForGreeting(socket, Buffer.from(greeting), outcome.resolve)
    try {
      return await outcome.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
    }
  }
}

function listenForGreeting(socket: Socket, greeting: Buffer, settle: (outcome: CheckOutcome) => void): void {
  let seen = Buffer.alloc(0)
  const wrong = (what: string): CheckOutcome => failed(`it greets with ${what} instead of ${shown(greeting)}`)
  socket.on('data', (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk.subarray(0, greeting.length - seen.length)])
    if (!greeting.subarray(0, seen.length).equals(seen)) settle(wrong(shown(seen)))
    else if (seen.length === greeting.length) settle(PASSED)
  })
  socket.on('end', () => settle(wrong('nothing more')))
}

function shown(bytes: Buffer): string {
  return toJson(bytes.toString('latin1'))
}
