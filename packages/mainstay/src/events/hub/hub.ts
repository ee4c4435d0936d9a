import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import type { Metrics } from '../../core/metrics.ts'
import { integerBetween, type Random } from '../../core/random.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { nextTurn } from '../../core/turn.ts'
import type { EventLog, LogExtent, TailNews } from '../log.ts'
import { Channels } from './channels.ts'
import { CLOSE, type ControlFrame } from './control-frame.ts'
import type { Outlet } from './dialect.ts'
import { StreamUnavailableError } from './errors.ts'
import { HubFigures } from './figures.ts'
import { DEFAULT_HUB_OPTIONS, type HubOptions } from './options.ts'
import { Pages } from './pages.ts'
import { reconnectDelayMs } from './reconnect-delay.ts'
import { startFrom, type Since } from './since.ts'
import type { Station } from './station.ts'
import { Subscriber, type Subscription } from './subscriber.ts'

export interface HubDeps {
  readonly log: EventLog
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
}

/** One client that wants to listen. */
export interface SubscribeRequest {
  /** Names the connection, to the client and to whoever looks after the stream. */
  readonly connectionId: string
  readonly outlet: Outlet
  readonly subscription: Subscription
  readonly since: Since
  /** What the transport limits, for the `hello`. */
  readonly limits: JsonObject
}

/** After so long without trouble, trouble counts as new. */
const HEALTHY_MS = 30_000

/**
 * Follows the event log and gives each subscriber what is meant for it. It never waits for a client: a turn of the loop
 * hands bytes to every socket that has room, and the others come when they have.
 *
 * Source: event-stream.md 11.3, 11.5, 11.8.
 */
export class EventHub {
  readonly options: HubOptions
  readonly figures: HubFigures
  readonly #deps: HubDeps
  readonly #pages: Pages
  readonly #station: Station
  readonly #tasks: TaskGroup
  readonly #subscribers = new Map<Subscriber, SubscribeRequest>()
  #epoch: string | undefined
  #oldest = 1
  #trouble: string | undefined = 'the event log has not been read yet'
  #draining = false
  #flushDue = false

  constructor(deps: HubDeps, options: Partial<HubOptions> = {}) {
    this.#deps = deps
    this.options = { ...DEFAULT_HUB_OPTIONS, ...options }
    this.figures = new HubFigures(deps.metrics)
    this.#pages = new Pages(deps.log, this.options, 0)
    this.#tasks = new TaskGroup(deps)
    this.#station = this.#makeStation()
  }

  /** Begins to follow the log, for as long as it takes. */
  start(): void {
    this.#run('follow the event log', async (signal) => await this.#follow(signal))
    this.#run('look after stream connections', async (signal) => await this.#sweep(signal))
  }

  /** @throws StreamUnavailableError while the log is not followed */
  assertReady(): void {
    if (this.#draining) throw new StreamUnavailableError('this node is going down')
    if (this.#trouble !== undefined) throw new StreamUnavailableError(this.#trouble)
  }

  /** @throws StreamUnavailableError while nobody can be served: the log was never read, or the node goes down */
  assertServing(): void {
    if (this.#draining) throw new StreamUnavailableError('this node is going down')
    if (this.#epoch === undefined) throw new StreamUnavailableError(this.#trouble ?? 'it has not begun')
  }

  /** Everybody who listens. */
  get subscribers(): ReadonlyMap<Subscriber, SubscribeRequest> {
    return this.#subscribers
  }

  /** How often an event is held against a filter. */
  get audiences(): number {
    return this.#station.channels.audiences
  }

  /** Bytes of event text in memory. */
  get bufferedBytes(): number {
    return this.#pages.bytes
  }

  /**
   * Lets a client listen. It is told `hello` and begins as soon as its place is found; when the log does not answer, it
   * is closed with 1011.
   */
  subscribe(request: SubscribeRequest): Subscriber {
    const subscriber = new Subscriber(this.#station, request.outlet, request.subscription)
    this.#subscribers.set(subscriber, request)
    this.#locate(subscriber, request)
    return subscriber
  }

  /** The same connection listens to something else, from another place. */
  resubscribe(subscriber: Subscriber, request: Pick<SubscribeRequest, 'subscription' | 'since'>): void {
    const before = this.#subscribers.get(subscriber)
    if (before === undefined) return
    const renewed = { ...before, ...request }
    this.#subscribers.set(subscriber, renewed)
    subscriber.restart(request.subscription)
    this.#locate(subscriber, renewed)
  }

  /**
   * Tells everybody to come back elsewhere, lets them take what they were given, and closes them.
   *
   * Source: event-stream.md R34.
   */
  async drain(): Promise<void> {
    this.#draining = true
    const { clock, random } = this.#deps
    const { drainMs, reconnectSpreadMs } = this.options
    const leaving = [...this.#subscribers.keys()]
    const flushed = leaving.map(
      async (subscriber) => await subscriber.drain(integerBetween(random, 0, reconnectSpreadMs)),
    )
    const late = Promise.withResolvers<void>()
    using _timer = clock.after(drainMs, () => late.resolve())
    await Promise.race([Promise.all(flushed), late.promise])
    for (const subscriber of leaving) subscriber.end(CLOSE.RESTART, 'This node is going down.')
  }

  async stop({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    this.#draining = true
    for (const subscriber of [...this.#subscribers.keys()]) subscriber.end(CLOSE.RESTART, 'This node is going down.')
    await this.#tasks.stop({ timeoutMs })
  }

  #makeStation(): Station {
    const { clock, logger } = this.#deps
    const hub = this as { readonly epoch: string }
    return {
      clock,
      options: this.options,
      pages: this.#pages,
      channels: new Channels(this.#pages, this.options),
      figures: this.figures,
      get epoch() {
        return hub.epoch
      },
      load: async (seq) => await this.#load(seq),
      missing: (subscriber, seq) => {
        this.#expire(subscriber, seq).catch((error: unknown) => {
          logger.warn(`A client waits for the event log: ${errorMessage(error)}`)
        })
      },
      ended: (subscriber) => void this.#subscribers.delete(subscriber),
    }
  }

  /** The history that is followed, empty before the first. */
  get epoch(): string {
    return this.#epoch ?? ''
  }

  #run(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    this.#tasks.spawn(name, work).catch((error: unknown) => {
      if (!this.#tasks.signal.aborted) this.#deps.logger.error({ err: error }, `${name} has ended`)
    })
  }

  /** Follows the log and comes back after every trouble. Source: event-stream.md R8. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { log, clock, random, logger } = this.#deps
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const begun = clock.monotonic()
      try {
        if (this.#epoch === undefined) this.#begin(await log.extent())
        this.#trouble = undefined
        for await (const news of log.tail({ epoch: this.epoch, seq: this.#pages.head }, { signal })) this.#take(news)
        if (signal.aborted) return
        this.#trouble = 'the event log stopped telling'
      } catch (error) {
        if (signal.aborted) return
        this.#trouble = errorMessage(error)
      }
      if (clock.monotonic() - begun > HEALTHY_MS) attempt = 0
      logger.warn(`The event stream lost its log: ${this.#trouble}. It is looked for again.`)
      await clock.sleep(reconnectDelayMs(attempt, random), { signal })
    }
  }

  #begin({ epoch, oldest, head }: LogExtent): void {
    this.#epoch = epoch
    this.#oldest = oldest
    this.#pages.restart(head)
  }

  #take(news: TailNews): void {
    if (news.kind === 'events') {
      this.#pages.append(news.events, { keep: this.#subscribers.size > 0 })
      if (this.#subscribers.size > 0) this.#flushThisTurn(news.events[0]?.timestamp)
      return
    }
    const { extent } = news
    this.#begin({ ...extent, head: extent.oldest - 1 })
    this.#deps.logger.warn({ epoch: extent.epoch }, 'The history of events was lost; a new one begins')
    for (const subscriber of [...this.#subscribers.keys()]) {
      if (subscriber.state === 'starting' || subscriber.epoch === extent.epoch) continue
      this.#guarded(subscriber, () => subscriber.reset('epoch_changed', extent))
    }
  }

  /** Everything that comes in one turn of the loop goes out in one write for each socket (R27). */
  #flushThisTurn(oldest: string | undefined): void {
    if (this.#flushDue) return
    this.#flushDue = true
    void nextTurn().then(() => {
      this.#flushDue = false
      for (const subscriber of this.#subscribers.keys()) this.#guarded(subscriber, () => subscriber.pull())
      const takenIn = oldest === undefined ? undefined : parseTimestamp(oldest)
      if (takenIn !== undefined) this.figures.latency(this.#deps.clock.now() - takenIn)
    })
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    while (!signal.aborted) {
      await clock.sleep(this.options.sweepMs, { signal })
      const now = clock.monotonic()
      let lag = 0
      for (const subscriber of [...this.#subscribers.keys()]) {
        this.#guarded(subscriber, () => subscriber.upkeep(now))
        lag = Math.max(lag, subscriber.figures.behindEvents)
      }
      this.#station.channels.forgetChunks()
      this.figures.publish(lag)
    }
  }

  /** A fault that one client causes ends that client, and nobody else. */
  #guarded(subscriber: Subscriber, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#deps.logger.error({ err: error }, 'A stream connection failed')
      subscriber.end(CLOSE.SERVER_ERROR, 'Something unexpected happened.')
    }
  }

  #locate(subscriber: Subscriber, request: SubscribeRequest): void {
    this.#find(subscriber, request).catch((error: unknown) => {
      this.#deps.logger.warn(`A client could not be placed in the stream: ${errorMessage(error)}`)
      subscriber.end(CLOSE.SERVER_ERROR, 'The event log does not answer.')
    })
  }

  async #find(subscriber: Subscriber, request: SubscribeRequest): Promise<void> {
    const { since } = request
    const extent = await this.#extentFor(since)
    const seqBefore = since.kind === 'time' ? await this.#deps.log.seqBefore(since) : 0
    if (this.#subscribers.get(subscriber) !== request) return
    // A client that wants only news begins where this node stands, which may be behind what the log holds.
    const here = since.kind === 'latest' ? { ...extent, epoch: this.epoch } : extent
    const start = startFrom(since, here, { head: this.#pages.head, seqBefore })
    if (start.resumed) this.figures.resumed('resumed')
    const cursor = `${here.epoch}:${start.position}`
    this.#guarded(subscriber, () => subscriber.begin(start, here, this.#hello(request, here, { ...start, cursor })))
  }

  /** The extent of the log; for a live stream the last one known is enough. */
  async #extentFor(since: Since): Promise<LogExtent> {
    if (since.kind === 'latest') return { epoch: this.epoch, oldest: this.#oldest, head: this.#pages.head }
    const extent = await this.#reading(async () => await this.#deps.log.extent())
    if (extent.epoch === this.#epoch) this.#oldest = extent.oldest
    return extent
  }

  #hello(
    { connectionId, subscription, limits }: SubscribeRequest,
    extent: LogExtent,
    start: { cursor: string; position: number; resumed: boolean; replays: boolean },
  ): ControlFrame {
    const { heartbeatMs, softLimitBytes, hardLimitBytes, hardLimitFrames } = this.options
    return {
      type: 'hello',
      connection_id: connectionId,
      epoch: extent.epoch,
      head: extent.head,
      oldest: extent.oldest,
      cursor: start.cursor,
      resumed: start.resumed,
      replay_from: start.replays ? start.position + 1 : null,
      heartbeat_ms: heartbeatMs,
      format: subscription.dialect.format,
      policy: subscription.policy,
      limits: {
        ...limits,
        soft_limit_bytes: softLimitBytes,
        hard_limit_bytes: hardLimitBytes,
        hard_limit_frames: hardLimitFrames,
      },
    }
  }

  async #load(seq: number): Promise<boolean> {
    try {
      await this.#reading(async (signal) => await this.#pages.load(seq, signal))
      return true
    } catch (error) {
      this.#deps.logger.warn(`A page of the event log could not be read: ${errorMessage(error)}`)
      return false
    }
  }

  /** Tells a client that what it still had to read was dropped by the retention. */
  async #expire(subscriber: Subscriber, seq: number): Promise<void> {
    const extent = await this.#reading(async () => await this.#deps.log.extent())
    if (extent.epoch !== subscriber.epoch || seq >= extent.oldest) return
    this.#oldest = extent.oldest
    this.#guarded(subscriber, () => subscriber.reset('cursor_expired', extent))
  }

  async #reading<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock } = this.#deps
    const { readTimeoutMs: timeoutMs } = this.options
    return await withDeadline({ clock, what: 'Reading the event log', timeoutMs, signal: this.#tasks.signal }, work)
  }
}
