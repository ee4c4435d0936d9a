import type { ConnectOptions, LibvirtConnection } from './connection.ts'
import type { DisconnectReason } from './disconnect-reason.ts'
import { domainCalls } from './domain-procedures.ts'
import type { DomainEventOf } from './domain-event.ts'
import {
  LibvirtArgumentError,
  LibvirtConnectError,
  LibvirtDisconnectedError,
  LibvirtError,
  LibvirtTimeoutError,
} from './errors.ts'
import { EventRegistry } from './event-registry.ts'
import { EventStream } from './event-stream.ts'
import { handshake } from './handshake.ts'
import { hostCalls } from './host-procedures.ts'
import { procedures } from './procedures.ts'
import { qemuCalls } from './qemu-procedures.ts'
import { RpcChannel } from './rpc-channel.ts'
import { storageCalls } from './storage-procedures.ts'
import { systemTimers } from './timers.ts'
import { connectUnixSocket } from './unix-socket.ts'
import { readNothing } from './xdr-reader.ts'

/** How long a good-bye may take before the socket is closed without its answer, in ms. */
const CLOSE_TIMEOUT_MS = 1_000

const DEFAULT_BUFFER_LIMIT = 10_000

/**
 * Connects to a libvirt daemon over its Unix socket, authenticates, opens the driver and switches keep-alive on.
 *
 * Rejects with `LibvirtConnectError` (its `cause` is the system's or libvirt's own error), with `LibvirtArgumentError`, or
 * with the reason of `options.signal`. Source: monitors.md 7.6 A.
 */
export async function connectLibvirt(options: ConnectOptions): Promise<LibvirtConnection> {
  const { socketPath, signal, timers = systemTimers, connectTimeoutMs = 10_000, maxCallsInFlight = 4 } = options
  if (!Number.isInteger(maxCallsInFlight) || maxCallsInFlight < 1) {
    throw new LibvirtArgumentError(`maxCallsInFlight is ${maxCallsInFlight}; it must be an integer of at least 1.`)
  }
  const deadline = timers.now() + connectTimeoutMs
  const socket = await connectUnixSocket(socketPath, { timeoutMs: connectTimeoutMs, timers, signal })
  const channel = new RpcChannel(socket, {
    callTimeoutMs: options.callTimeoutMs ?? 30_000,
    maxCallsInFlight,
    keepaliveIntervalMs: options.keepaliveIntervalMs ?? 5_000,
    keepaliveMisses: options.keepaliveMisses ?? 3,
    timers,
    onMessage: (procedure, body) => events.receive(procedure, body),
  })
  const events = new EventRegistry(channel.call)
  try {
    await handshake(channel, {
      uri: options.uri ?? 'qemu:///system',
      readOnly: options.readOnly ?? false,
      callOptions: () => ({ signal, timeoutMs: Math.max(0, deadline - timers.now()) }),
    })
  } catch (error) {
    channel.end({ kind: 'closed', message: 'The connection could not be opened.' })
    throw explain(error, socketPath, connectTimeoutMs)
  }
  return connectionOver(channel, events, options)
}

function connectionOver(channel: RpcChannel, events: EventRegistry, options: ConnectOptions): LibvirtConnection {
  const { call } = channel
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= closeChannel(channel))
  const connection: LibvirtConnection = {
    ...hostCalls(call),
    ...domainCalls(call),
    ...qemuCalls(call),
    ...storageCalls(call),
    readOnly: options.readOnly ?? false,
    closed: channel.ended,
    subscribe: (eventId, subscribeOptions, listener) => events.subscribe(eventId, subscribeOptions, listener),
    async events(eventId, { domain, signal, bufferLimit = DEFAULT_BUFFER_LIMIT } = {}) {
      const end = (): void => stream.end()
      const stream = new EventStream<DomainEventOf<typeof eventId>>(bufferLimit, async () => {
        signal?.removeEventListener('abort', end)
        await (await subscribed).unsubscribe()
      })
      const subscribed = connection.subscribe(eventId, { domain, signal }, (event) => stream.push(event))
      await subscribed
      if (signal?.aborted === true) stream.end()
      signal?.addEventListener('abort', end, { once: true })
      void channel.ended.then((reason) => stream.disconnected(reason))
      return stream
    },
    close,
    [Symbol.asyncDispose]: close,
  }
  return connection
}

async function closeChannel(channel: RpcChannel): Promise<void> {
  const reason: DisconnectReason = { kind: 'closed', message: 'This side closed the connection.' }
  channel.announceEnd(reason)
  try {
    await channel.call(procedures.connectClose, { timeoutMs: CLOSE_TIMEOUT_MS }, readNothing, readNothing)
  } catch (error) {
    // libvirtd cleans up after a client that leaves without good-bye, too.
    const harmless = [LibvirtDisconnectedError, LibvirtError, LibvirtTimeoutError]
    if (!harmless.some((type) => error instanceof type)) throw error
  } finally {
    channel.end(reason)
  }
}

function explain(error: unknown, socketPath: string, connectTimeoutMs: number): unknown {
  if (error instanceof LibvirtTimeoutError) {
    const what = `libvirtd did not answer ${error.call} within ${connectTimeoutMs} ms. Is it overloaded or stopped?`
    return new LibvirtConnectError(socketPath, what, { cause: error })
  }
  if (error instanceof LibvirtError || error instanceof LibvirtDisconnectedError) {
    return new LibvirtConnectError(socketPath, error.message, { cause: error })
  }
  return error
}
