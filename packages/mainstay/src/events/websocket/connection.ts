import type { Socket } from 'node:net'

import { errorMessage } from '../../core/errors.ts'
import { CLOSE } from '../hub/control-frame.ts'
import type { Outlet } from '../hub/dialect.ts'
import { inflate } from './deflate.ts'
import { FrameReader, decodeText, type FrameEvents } from './frame-reader.ts'
import { OPCODE, closeFrame, frame, textFrame } from './frame.ts'

/** Who talks over a connection. */
export interface ConnectionUser {
  /** The client said something; null for a binary message. */
  heard(text: string | null): void
  /** The socket has taken everything that was written. */
  flushed(): void
  /** Nothing more is sent. May be called more than once. */
  ended(): void
  /** The connection is no more. Called once, last. */
  gone(): void
}

export interface ConnectionOptions {
  /** The longest message of a client, also after inflating. */
  readonly maxMessageBytes: number
  /** Whether permessage-deflate was agreed on. */
  readonly compression: boolean
  /** Silence after which the client is asked for a sign of life. */
  readonly pingAfterMs: number
  /** How long it may take to answer. */
  readonly pongTimeoutMs: number
  /** How long it may take to close. */
  readonly closeTimeoutMs: number
}

/** Pongs are not answered into a socket that holds so much: whoever asks does not read. */
const MAX_UNSENT_FOR_PONG = 64 * 1024

const NOTHING = Buffer.alloc(0)

/**
 * A WebSocket on the server's side, from the end of the handshake.
 *
 *   open ──close() or the client closes──▶ closing ──both have closed, or 2 s──▶ gone
 *     └────────────── no sign of life, or the network fails ─────────────────────┘
 *
 * Whoever writes to it makes the frames; nothing that is written is copied or looked at. One that waits for nothing holds
 * no timer: a keeper looks at all of them.
 *
 * Source: RFC 6455; event-stream.md R33.
 */
export class WebSocketConnection implements Outlet, FrameEvents {
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #reader: FrameReader
  readonly #now: () => number
  #user: ConnectionUser | undefined
  #state: 'open' | 'closing' | 'gone' = 'open'
  #lastHeardAt: number
  #pingedAt: number | undefined
  #closingSince = 0

  /** @param now monotonic milliseconds */
  constructor(socket: Socket, options: ConnectionOptions, now: () => number) {
    this.#socket = socket
    this.#options = options
    this.#now = now
    this.#lastHeardAt = now()
    this.#reader = new FrameReader(options, this)
  }

  /** Begins to listen. @param head what the client has sent already */
  open(user: ConnectionUser, head: Buffer): void {
    this.#user = user
    const socket = this.#socket
    socket.setTimeout(0)
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#receive(bytes))
    socket.on('drain', () => this.#user?.flushed())
    socket.on('end', () => this.terminate())
    socket.on('error', () => this.terminate())
    socket.on('close', () => this.terminate())
    if (head.length > 0) this.#receive(head)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get isGone(): boolean {
    return this.#state === 'gone'
  }

  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength
  }

  write(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#socket.write(bytes)
  }

  sendText(text: string): void {
    this.write(textFrame(text))
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'open') return
    this.#socket.write(closeFrame(code, reason))
    this.#state = 'closing'
    this.#closingSince = this.#now()
    this.#user?.ended()
  }

  /** Ends it without a word. */
  terminate(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#reader.stop()
    this.#socket.destroy()
    const user = this.#user
    this.#user = undefined
    user?.ended()
    user?.gone()
  }

  /** Asks for a sign of life, or gives the client up. To be called regularly, at least every `everyMs`. */
  look(now: number, everyMs: number): void {
    const { pingAfterMs, pongTimeoutMs, closeTimeoutMs } = this.#options
    if (this.#state === 'closing') {
      if (now - this.#closingSince >= closeTimeoutMs) this.terminate()
      return
    }
    // A ping would wait behind what the client has not read: whether it reads at all is the hub's to judge (R21).
    if (this.#socket.writableLength > 0) {
      this.#lastHeardAt = now
      this.#pingedAt = undefined
      return
    }
    // Rather early than late, so that a dead client is gone in time although nobody looks in between.
    const silentFor = now - this.#lastHeardAt + everyMs
    if (this.#pingedAt === undefined) {
      if (silentFor < pingAfterMs) return
      this.#pingedAt = now
      this.write(frame(OPCODE.PING, NOTHING))
    } else if (now - this.#pingedAt + everyMs > pongTimeoutMs) {
      this.terminate()
    }
  }

  onMessage({ text, payload, compressed }: { text: boolean; payload: Buffer; compressed: boolean }): void {
    if (this.#state !== 'open') return
    if (!text) {
      this.#user?.heard(null)
      return this.close(CLOSE.UNSUPPORTED_DATA, 'Only text is understood.')
    }
    const plain = compressed ? this.#inflate(payload) : payload
    if (plain === undefined) return
    const words = decodeText(plain)
    if (words === undefined) return this.close(CLOSE.INVALID_TEXT, 'The text is not UTF-8.')
    this.#user?.heard(words)
  }

  onPing(payload: Buffer): void {
    if (this.unsentBytes < MAX_UNSENT_FOR_PONG) this.write(frame(OPCODE.PONG, payload))
  }

  onPong(): void {}

  onClose(code: number, reason: string): void {
    if (this.#state === 'closing') return this.terminate()
    // The code goes back as it came; one that was not given cannot be said.
    this.close(code === 1005 ? CLOSE.NORMAL : code, reason)
    this.#socket.end()
  }

  onViolation(code: number, reason: string): void {
    this.close(code, reason)
  }

  #receive(bytes: Buffer): void {
    this.#lastHeardAt = this.#now()
    this.#pingedAt = undefined
    this.#reader.push(bytes)
  }

  #inflate(payload: Buffer): Buffer | undefined {
    try {
      return inflate(payload, this.#options.maxMessageBytes)
    } catch (error) {
      if (error instanceof RangeError) this.close(CLOSE.TOO_BIG, 'The message is too long.')
      else this.close(CLOSE.INVALID_TEXT, `The message cannot be inflated: ${errorMessage(error)}`)
      return undefined
    }
  }
}
