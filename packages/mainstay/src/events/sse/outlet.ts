import type { Socket } from 'node:net'
import { constants, createGzip, type Gzip } from 'node:zlib'

import { toJson } from '../../core/json.ts'
import type { Outlet } from '../hub/dialect.ts'

/** Who is told of what happens to a connection. */
export interface SseUser {
  /** The socket has taken everything that was written. */
  flushed(): void
  /** Nothing more is sent. Called at most once. */
  ended(): void
  /** The connection is no more. Called once, last. */
  gone(): void
}

/** A small window: a stream of small events gains little from a larger one, and each connection has its own. */
const GZIP = { level: 1, windowBits: 12, memLevel: 5, flush: constants.Z_SYNC_FLUSH }

/**
 * The answer to a request for `text/event-stream`, written straight to its socket: its end is the end of the connection.
 *
 * Source: event-stream.md R24, R26.
 */
export class SseOutlet implements Outlet {
  readonly #socket: Socket
  readonly #gzip: Gzip | undefined
  readonly #user: SseUser
  #unpacked = 0
  #state: 'open' | 'closing' | 'gone' = 'open'

  constructor(socket: Socket, { gzip, user }: { gzip: boolean; user: SseUser }) {
    this.#socket = socket
    this.#user = user
    this.#gzip = gzip ? createGzip(GZIP) : undefined
    this.#gzip?.on('data', (bytes: Buffer) => void socket.write(bytes))
    this.#gzip?.on('end', () => void socket.end())
    socket.setTimeout(0)
    socket.setNoDelay(true)
    socket.on('drain', () => this.#told())
    socket.on('error', () => this.terminate())
    socket.on('close', () => this.terminate())
  }

  get unsentBytes(): number {
    return this.#socket.writableLength + this.#unpacked
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength
  }

  write(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    if (this.#gzip === undefined) this.#socket.write(bytes)
    else this.#pack(this.#gzip, bytes)
  }

  /** Says why, as an event that no data event can be taken for, and ends the answer. */
  close(code: number, reason: string): void {
    if (this.#state !== 'open') return
    this.write(Buffer.from(`event: close\ndata: ${toJson({ type: 'close', code, reason })}\n\n`))
    this.#state = 'closing'
    if (this.#gzip === undefined) this.#socket.end()
    else this.#gzip.end()
    this.#user.ended()
  }

  /** Ends it without a word. */
  terminate(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#gzip?.destroy()
    this.#socket.destroy()
    this.#user.gone()
  }

  #pack(gzip: Gzip, bytes: Uint8Array): void {
    this.#unpacked += bytes.length
    gzip.write(bytes, () => {
      this.#unpacked -= bytes.length
      if (this.#unpacked === 0) this.#told()
    })
  }

  #told(): void {
    if (this.#state === 'open' && this.unsentBytes === 0) this.#user.flushed()
  }
}
