import { SystemClock, type Clock } from '../../core/clock.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import { SystemRandom } from '../../core/random.ts'
import { Connection, type EndedConnection } from './connection.ts'
import { Credentials, type Granted } from './credentials.ts'
import { EventQueue } from './event-queue.ts'
import type { Frame } from './frame.ts'
import { callBack, cursorBehind, type Item } from './item.ts'
import { keepConnected } from './keep-connected.ts'
import { STREAM_DEFAULTS, type EventStreamOptions, type StreamState } from './options.ts'
import { StreamPosition } from './position.ts'
import { DEFAULT_RECONNECT, type TransportName } from './reconnect.ts'
import { openSse } from './sse-link.ts'
import { filterMessage, isUnfiltered, rootOf, streamUrl } from './stream-url.ts'
import type { StreamFilters, StreamedEvent } from './streamed-event.ts'
import { openWebSocket, type WebSocketConstructor } from './websocket-link.ts'

/**
 * The event stream of a server as one unbroken sequence, over any number of connections.
 *
 *   connecting ──hello──▶ open ──the connection ends──▶ waiting ──▶ connecting
 *       │                   └──too much waits to be read──▶ paused ──half of it was read──▶ connecting
 *       └──refused for good, `close()`, an error of a callback──▶ closed
 *
 * Invariant: what is handed out is in order, each event once. What cannot be kept (history was lost) is told by
 * `onReset` in its place; nothing is left out silently.
 *
 * Source: event-stream.md R40.
 */
export class EventStream implements AsyncIterable<StreamedEvent>, AsyncDisposable {
  /** Resolves when the stream was closed; rejects when the server refused it for good, or a callback threw. */
  readonly done: Promise<void>
  readonly #options: EventStreamOptions
  readonly #root: string
  readonly #clock: Clock
  readonly #fetch: typeof globalThis.fetch
  readonly #webSocket: WebSocketConstructor | undefined
  readonly #credentials: Credentials
  readonly #position = new StreamPosition()
  readonly #queue: EventQueue<Item>
  readonly #stop = new AbortController()
  #filters: StreamFilters
  #since: string | undefined
  #state: StreamState = { name: 'connecting', transport: 'websocket' }
  #connection: Connection | undefined
  #room: PromiseWithResolvers<void> | undefined
  #handedOut: string | undefined
  #failure: { readonly error: unknown } | undefined

  /** @throws InvalidInputError when the endpoint is no http or https address */
  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#root = rootOf(options.endpoint)
    this.#clock = options.clock ?? new SystemClock()
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
    this.#webSocket = options.WebSocket ?? globalThis.WebSocket
    this.#credentials = new Credentials({ root: this.#root, tokens: options.tokens, fetch: this.#fetch })
    this.#filters = options.filters ?? {}
    this.#since = options.since
    this.#queue = new EventQueue(() => this.#taken())
    this.#stop.signal.addEventListener('abort', () => this.#room?.resolve(), { once: true })
    this.done = this.#live()
    // Whoever iterates is told there.
    if (options.onEvent === undefined) this.done.catch(() => undefined)
  }

  get state(): StreamState {
    return this.#state
  }

  /**
   * The place behind everything that was handed out: the `since` of a stream that goes on here, also after the program
   * was restarted. Undefined until a server has said where the stream begins.
   */
  get cursor(): string | undefined {
    return this.#queue.size === 0 ? this.#position.cursor : this.#handedOut
  }

  get filters(): StreamFilters {
    return this.#filters
  }

  /** Replaces the filters. Events that are on their way may still be of the old ones. */
  setFilters(filters: StreamFilters): void {
    this.#filters = filters
    this.#position.retuned()
    const told = this.#connection?.send(toJson(filterMessage(filters))) ?? false
    if (!told) this.#connection?.ended({ kind: 'own', why: 'the filters changed' })
  }

  /** Ends the stream. What has arrived can still be read. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.done
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.done.catch(() => undefined)
  }

  /**
   * The events, for one reader.
   *
   * @throws InvalidInputError when they go to `onEvent`. Reading throws StreamRefusedError, or what a callback threw
   */
  [Symbol.asyncIterator](): AsyncIterator<StreamedEvent, undefined> {
    if (this.#options.onEvent !== undefined) {
      throw new InvalidInputError('This event stream hands its events to onEvent; leave that out to iterate.')
    }
    return {
      next: async () => {
        for (let item = await this.#queue.next(); item !== undefined; item = await this.#queue.next()) {
          this.#handOut(item)
          if (item.kind === 'event') return { value: item.event, done: false }
        }
        return { value: undefined, done: true }
      },
      return: async () => {
        await this[Symbol.asyncDispose]()
        return { value: undefined, done: true }
      },
    }
  }

  async #live(): Promise<void> {
    const { signal, transport = 'auto', reconnect } = this.#options
    const onAbort = (): void => this.#stop.abort()
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    const all: readonly TransportName[] = this.#webSocket === undefined ? ['sse'] : ['websocket', 'sse']
    try {
      await keepConnected({
        endpoint: this.#root,
        possible: transport === 'auto' ? all : [transport],
        reconnect: { ...DEFAULT_RECONNECT, ...reconnect },
        clock: this.#clock,
        random: this.#options.random ?? new SystemRandom(),
        signal: this.#stop.signal,
        room: async () => await this.#haveRoom(),
        connect: async (name, { renewToken }) => await this.#connect(name, renewToken),
        forgetPlace: () => this.#forgetPlace(),
        onState: (state) => this.#enter(state),
      })
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#failure ??= { error }
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
    this.#queue.end(this.#failure)
    this.#enter({ name: 'closed' })
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async #connect(transport: TransportName, renew: boolean): Promise<EndedConnection> {
    const { signal } = this.#stop
    const { connectTimeoutMs = STREAM_DEFAULTS.connectTimeoutMs } = this.#options
    const { deadAfterHeartbeats = STREAM_DEFAULTS.deadAfterHeartbeats } = this.#options
    const settings = { clock: this.#clock, connectTimeoutMs, deadAfterHeartbeats }
    const connection: Connection = new Connection(settings, (frame) => this.#take(connection, transport, frame))
    this.#connection = connection
    const onAbort = (): void => connection.ended({ kind: 'own', why: 'the stream was closed' })
    signal.addEventListener('abort', onAbort, { once: true })
    const opened = async (): Promise<EndedConnection> => {
      const shown = await this.#credentials.show(transport, { renew, signal: connection.signal })
      if (shown.granted) this.#open(connection, transport, shown)
      else connection.ended(shown.end)
      return await connection.over
    }
    try {
      return await Promise.race([connection.over, opened()])
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#connection = undefined
    }
  }

  #open(connection: Connection, transport: TransportName, { headers, ticket }: Granted & { granted: true }): void {
    const since = this.#position.cursor ?? this.#since
    const { policy } = this.#options
    const url = streamUrl(this.#root, transport, { since, filters: this.#filters, policy, ticket })
    connection.start((listener) => {
      if (transport === 'sse') return openSse({ url, headers, fetch: this.#fetch }, listener)
      if (this.#webSocket === undefined) throw new InvalidInputError('This platform has no WebSocket; pass one.')
      return openWebSocket(url, this.#webSocket, listener)
    })
  }

  #take(connection: Connection, transport: TransportName, frame: Frame): void {
    switch (frame.kind) {
      case 'hello': {
        const { connectionId, resumed } = frame.hello
        this.#position.begin(frame.hello, { unfiltered: isUnfiltered(this.#filters) })
        this.#handedOut ??= this.#position.cursor
        this.#enter({ name: 'open', transport, connectionId, resumed })
        return
      }
      case 'event': {
        const verdict = this.#position.take(frame)
        if (verdict === 'gap') connection.ended({ kind: 'gap' })
        if (verdict === 'new') this.#give({ kind: 'event', event: frame.event })
        return
      }
      case 'reset':
        this.#position.reset(frame.reset.cursor)
        this.#give(frame)
        return
      case 'lagged':
        this.#position.skipTo(frame.to)
        this.#give({ kind: 'lagged', dropped: frame.dropped })
        return
      case 'place':
        this.#position.moveTo(frame.cursor)
        return
      case 'token-expiring':
        // Without a fresh one the server ends the connection when the old one is over, and it is asked for again then.
        this.#refreshToken(connection).catch(() => undefined)
        return
      case 'close':
        connection.ended({ kind: 'closed', code: frame.code, reason: frame.reason })
        return
      case 'error':
        // What we say again when we connect will be answered with a status and a reason.
        connection.ended({ kind: 'own', why: frame.message })
        return
      case 'draining':
      case 'other':
    }
  }

  async #refreshToken(connection: Connection): Promise<void> {
    const token = await this.#credentials.token({ renew: true, signal: connection.signal })
    connection.send(toJson({ action: 'refresh', token }))
  }

  #give(item: Item): void {
    if (this.#options.onEvent !== undefined) {
      this.#handOut(item)
      return
    }
    this.#queue.push(item)
    if (this.#queue.size > this.#maxWaiting) {
      this.#connection?.ended({ kind: 'own', why: 'events come faster than they are read' })
    }
  }

  #handOut(item: Item): void {
    this.#handedOut = cursorBehind(item) ?? this.#handedOut
    try {
      callBack(item, this.#options)
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#stop.abort()
  }

  /** Where the stream goes on was not said: from the oldest event on, all that can still be had. */
  #forgetPlace(): void {
    this.#position.reset(undefined)
    this.#since = 'earliest'
  }

  async #haveRoom(): Promise<void> {
    if (this.#queue.size <= this.#maxWaiting) return
    this.#enter({ name: 'paused' })
    this.#room = Promise.withResolvers()
    await this.#room.promise
    this.#room = undefined
  }

  #taken(): void {
    if (this.#queue.size * 2 <= this.#maxWaiting) this.#room?.resolve()
  }

  get #maxWaiting(): number {
    return this.#options.maxWaiting ?? STREAM_DEFAULTS.maxWaiting
  }

  #enter(state: StreamState): void {
    this.#state = state
    try {
      this.#options.onState?.(state)
    } catch (error) {
      this.#fail(error)
    }
  }
}
