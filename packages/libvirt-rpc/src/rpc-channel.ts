import type { Duplex } from 'node:stream'
import type { CallOptions } from './call-options.ts'
import type { DisconnectReason } from './disconnect-reason.ts'
import { LibvirtDisconnectedError, LibvirtProtocolError } from './errors.ts'
import { decodeFrame, encodeFrame, FrameStatus, FrameType } from './frame.ts'
import type { Frame } from './frame.ts'
import { FrameSplitter } from './frame-splitter.ts'
import { Keepalive } from './keepalive.ts'
import { PendingCall } from './pending-call.ts'
import type { Settleable } from './pending-call.ts'
import { KeepaliveProcedure, Program, PROGRAM_VERSION } from './procedures.ts'
import type { Procedure } from './procedures.ts'
import type { Timers } from './timers.ts'
import { XdrReader } from './xdr-reader.ts'
import type { XdrWriter } from './xdr-writer.ts'

export interface RpcChannelOptions {
  readonly callTimeoutMs: number
  readonly maxCallsInFlight: number
  readonly keepaliveIntervalMs: number
  readonly keepaliveMisses: number
  readonly timers: Timers
  /** A message of the remote program that is no reply: an event. What it throws ends the channel. */
  readonly onMessage: (procedure: number, body: XdrReader) => void
}

/** One call: sends what `write` writes, returns what `read` reads from the answer. */
export type Call = <Result>(
  procedure: Procedure,
  options: CallOptions | undefined,
  write: (writer: XdrWriter) => void,
  read: (reader: XdrReader) => Result,
) => Promise<Result>

interface OutgoingCall {
  readonly pending: Settleable
  readonly frame: Buffer
  readonly serial: number
}

/**
 * Calls and messages over one byte stream.
 *
 *   open ──good-bye, end of stream, fault, silence, garbage──▶ ended
 *
 * While open, a call is queued until fewer than `maxCallsInFlight` are at the server, in order. A call whose caller gave
 * up keeps its place there until its answer comes: libvirtd counts it too, and stops reading us (keep-alive answers
 * included) when it counts too many.
 *
 * Invariants: each call settles exactly once; after the end nothing is written, nothing waits and no timer runs. An
 * answer to a serial that is not in flight is dropped: it can do no harm and ends a call that nobody waits for.
 */
export class RpcChannel {
  readonly #socket: Duplex
  readonly #options: RpcChannelOptions
  readonly #splitter = new FrameSplitter()
  readonly #keepalive: Keepalive
  readonly #queue = new Set<OutgoingCall>()
  readonly #inFlight = new Map<number, Settleable>()
  readonly #ended = Promise.withResolvers<DisconnectReason>()
  #announcedReason: DisconnectReason | undefined
  #endReason: DisconnectReason | undefined
  #lastSerial = 0

  constructor(socket: Duplex, options: RpcChannelOptions) {
    this.#socket = socket
    this.#options = options
    this.#keepalive = new Keepalive({
      intervalMs: options.keepaliveIntervalMs,
      misses: options.keepaliveMisses,
      timers: options.timers,
      sendPing: () => this.#sendKeepalive(KeepaliveProcedure.PING),
      onDead: () =>
        this.end({
          kind: 'keepalive',
          message: `libvirtd left ${options.keepaliveMisses} keep-alive pings unanswered.`,
        }),
    })
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (error) => this.end(reasonOf(error)))
    socket.on('close', () => this.end({ kind: 'server-closed', message: 'libvirtd closed the connection.' }))
  }

  get ended(): Promise<DisconnectReason> {
    return this.#ended.promise
  }

  get endReason(): DisconnectReason | undefined {
    return this.#endReason
  }

  startKeepalive(): void {
    if (this.#endReason === undefined && this.#options.keepaliveIntervalMs > 0) this.#keepalive.start()
  }

  readonly call: Call = async (procedure, options, write, read) => {
    options?.signal?.throwIfAborted()
    if (this.#endReason !== undefined) throw new LibvirtDisconnectedError(procedure.name, this.#endReason, false)
    const serial = this.#nextSerial()
    const frame = encodeFrame(
      {
        program: procedure.program,
        version: PROGRAM_VERSION,
        procedure: procedure.number,
        type: FrameType.CALL,
        serial,
        status: FrameStatus.OK,
      },
      write,
    )
    const pending = new PendingCall({
      procedure,
      timers: this.#options.timers,
      timeoutMs: options?.timeoutMs ?? this.#options.callTimeoutMs,
      signal: options?.signal,
      read,
      onAbandoned: () => this.#queue.delete(outgoing),
    })
    const outgoing = { pending, frame, serial }
    this.#queue.add(outgoing)
    this.#sendQueued()
    return pending.outcome
  }

  /** Whoever ends the stream from here on, this is why. */
  announceEnd(reason: DisconnectReason): void {
    this.#announcedReason ??= reason
  }

  /** Ends the channel; the announced reason stays, else the first. Everything that waits rejects with it. */
  end(givenReason: DisconnectReason): void {
    if (this.#endReason !== undefined) return
    const reason = this.#announcedReason ?? givenReason
    this.#endReason = reason
    this.#keepalive.stop()
    this.#socket.destroy()
    for (const { pending } of this.#queue) pending.disconnected(reason)
    for (const pending of this.#inFlight.values()) pending.disconnected(reason)
    this.#queue.clear()
    this.#inFlight.clear()
    this.#ended.resolve(reason)
  }

  #receive(chunk: Buffer): void {
    try {
      for (const bytes of this.#splitter.push(chunk)) {
        if (this.#endReason !== undefined) return
        this.#keepalive.heard()
        this.#dispatch(decodeFrame(bytes))
      }
    } catch (cause) {
      const error = cause instanceof Error ? cause : new LibvirtProtocolError('A message could not be read.', { cause })
      this.end({ kind: 'protocol', message: `What libvirtd sent could not be understood: ${error.message}`, error })
    }
  }

  #dispatch(frame: Frame): void {
    if (frame.type === FrameType.REPLY) {
      this.#reply(frame)
    } else if (frame.type === FrameType.MESSAGE && frame.program === Program.KEEPALIVE) {
      if (frame.procedure === KeepaliveProcedure.PING) this.#sendKeepalive(KeepaliveProcedure.PONG)
    } else if (frame.type === FrameType.MESSAGE && frame.program === Program.REMOTE) {
      this.#options.onMessage(frame.procedure, new XdrReader(frame.body))
    }
  }

  #reply(frame: Frame): void {
    const pending = this.#inFlight.get(frame.serial)
    if (pending === undefined) return
    const { program, number, name } = pending.procedure
    if (frame.program !== program || frame.procedure !== number) {
      throw new LibvirtProtocolError(`The answer to ${name} names procedure ${frame.procedure}, not ${number}.`)
    }
    this.#inFlight.delete(frame.serial)
    this.#sendQueued()
    const body = new XdrReader(frame.body)
    if (frame.status === FrameStatus.OK) pending.answer(body)
    else pending.refuse(body)
  }

  #sendQueued(): void {
    for (const outgoing of this.#queue) {
      if (this.#inFlight.size >= this.#options.maxCallsInFlight) return
      this.#queue.delete(outgoing)
      this.#inFlight.set(outgoing.serial, outgoing.pending)
      outgoing.pending.sent = true
      this.#socket.write(outgoing.frame)
    }
  }

  #sendKeepalive(procedure: number): void {
    this.#socket.write(
      encodeFrame({
        program: Program.KEEPALIVE,
        version: PROGRAM_VERSION,
        procedure,
        type: FrameType.MESSAGE,
        serial: 0,
        status: FrameStatus.OK,
      }),
    )
  }

  /** Serials count up and wrap within 32 bits; 0 belongs to messages. */
  #nextSerial(): number {
    this.#lastSerial = this.#lastSerial === 0xffff_ffff ? 1 : this.#lastSerial + 1
    return this.#lastSerial
  }
}

/** A daemon that ends with our words unread resets the connection instead of closing it. */
function reasonOf(error: NodeJS.ErrnoException): DisconnectReason {
  return error.code === 'ECONNRESET' || error.code === 'EPIPE'
    ? { kind: 'server-closed', message: `libvirtd closed the connection (${error.code}).`, error }
    : { kind: 'socket', message: `The socket failed: ${error.message}.`, error }
}
