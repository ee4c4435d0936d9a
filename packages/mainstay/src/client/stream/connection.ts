import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { readFrame, type Frame } from './frame.ts'
import type { Link, LinkListener } from './link.ts'
import type { LinkEnd } from './reconnect.ts'

/** How a connection went. */
export interface EndedConnection {
  readonly end: LinkEnd
  /** How long after the server's first word it ended, in milliseconds, or null when there was none. */
  readonly lastedMs: number | null
  /** When the server asked to come back, in milliseconds from its end, or null. */
  readonly hintMs: number | null
}

export interface ConnectionSettings {
  readonly clock: Clock
  readonly connectTimeoutMs: number
  readonly deadAfterHeartbeats: number
}

/**
 * One connection from its beginning to its end.
 *
 *   opening ──hello──▶ open ──closed, broken, or ended by us──▶ over
 *      │                └──silent for 2.5 heartbeats──────────────▲
 *      └──refused, broken, or no hello in time────────────────────┘
 *
 * Source: event-stream.md R33, R40.
 */
export class Connection implements LinkListener {
  readonly #settings: ConnectionSettings
  readonly #onFrame: (frame: Frame) => void
  readonly #over = Promise.withResolvers<EndedConnection>()
  readonly #gone = new AbortController()
  #link: Link | undefined
  #timer: Disposable | undefined
  #limitMs: number
  #aliveAt: number
  #openedAt: number | null = null
  #hintMs: number | null = null
  #ended = false

  constructor(settings: ConnectionSettings, onFrame: (frame: Frame) => void) {
    this.#settings = settings
    this.#onFrame = onFrame
    this.#limitMs = settings.connectTimeoutMs
    this.#aliveAt = settings.clock.monotonic()
    this.#watch()
  }

  /** Resolves when it is over. */
  get over(): Promise<EndedConnection> {
    return this.#over.promise
  }

  /** Aborted when it is over. */
  get signal(): AbortSignal {
    return this.#gone.signal
  }

  /** Begins with a link. What `open` throws is an end like any other. */
  start(open: (listener: LinkListener) => Link): void {
    if (this.#ended) return
    try {
      this.#link = open(this)
    } catch (error) {
      this.ended({ kind: 'failed', message: errorMessage(error) })
    }
  }

  send(text: string): boolean {
    return this.#link?.send(text) ?? false
  }

  /** A sign of life. Before the first word it lengthens nothing: bytes are no hello. */
  alive(): void {
    if (this.#openedAt !== null) this.#aliveAt = this.#settings.clock.monotonic()
  }

  frame(text: string): void {
    if (this.#ended) return
    let frame: Frame
    try {
      frame = readFrame(text)
    } catch (error) {
      this.ended({ kind: 'failed', message: errorMessage(error) })
      return
    }
    if (frame.kind === 'hello') this.#opened(frame.hello.heartbeatMs)
    if (frame.kind === 'draining') this.#hintMs = frame.reconnectAfterMs
    this.#onFrame(frame)
  }

  ended(end: LinkEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.#timer?.[Symbol.dispose]()
    this.#link?.close()
    this.#gone.abort()
    const now = this.#settings.clock.monotonic()
    const lastedMs = this.#openedAt === null ? null : now - this.#openedAt
    this.#over.resolve({ end, lastedMs, hintMs: this.#hintMs })
  }

  #opened(heartbeatMs: number): void {
    this.#openedAt ??= this.#settings.clock.monotonic()
    this.#aliveAt = this.#settings.clock.monotonic()
    this.#limitMs = heartbeatMs * this.#settings.deadAfterHeartbeats
    this.#watch()
  }

  /** One timer for many signs of life: it looks how long ago the last one was. */
  #watch(): void {
    this.#timer?.[Symbol.dispose]()
    const silentMs = this.#settings.clock.monotonic() - this.#aliveAt
    if (silentMs >= this.#limitMs) this.ended({ kind: 'silent', silentMs })
    else this.#timer = this.#settings.clock.after(this.#limitMs - silentMs, () => this.#watch())
  }
}
