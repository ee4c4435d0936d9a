import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { Metrics } from '../../core/metrics.ts'
import { integerBetween, type Random } from '../../core/random.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { nextTurn } from '../../core/turn.ts'
import type { Presence } from '../presence.ts'
import type { EventLog, LogExtent, TailNews, TailPosition } from '../log.ts'
import { Channels } from './channels.ts'
import { CLOSE } from './control-frame.ts'
import { StreamUnavailableError } from './errors.ts'
import { HubFigures } from './figures.ts'
import { LogFollower } from './log-follower.ts'
import { LogReader } from './log-reader.ts'
import { DEFAULT_HUB_OPTIONS, type HubOptions } from './options.ts'
import { Pages } from './pages.ts'
import { helloFrame } from './placement.ts'
import type { Station } from './station.ts'
import type { ConnectionFacts, SubscribeRequest } from './subscribe-request.ts'
import { Subscriber } from './subscriber.ts'

export interface HubDeps {
  readonly log: EventLog
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  /** Told of everybody who comes and goes. */
  readonly presence?: Presence | undefined
}

type PlaceRequest = Omit<SubscribeRequest, 'outlet'>

const LEAVING = 'This node is going down.'

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
  readonly #follower: LogFollower
  readonly #reader: LogReader
  readonly #tasks: TaskGroup
  readonly #subscribers = new Map<Subscriber, ConnectionFacts>()
  /** Whose place is being looked for. */
  readonly #placing = new Map<Subscriber, PlaceRequest>()
  #epoch: string | undefined
  readonly #lostEpochs = new Set<string>()
  #oldest = 1
  #draining = false
  #flushDue = false

  constructor(deps: HubDeps, options: Partial<HubOptions> = {}) {
    this.#deps = deps
    this.options = { ...DEFAULT_HUB_OPTIONS, ...options }
    this.figures = new HubFigures(deps.metrics)
    this.#pages = new Pages(deps.log, this.options)
    this.#follower = new LogFollower(deps)
    this.#tasks = new TaskGroup(deps)
    this.#reader = new LogReader({
      ...deps,
      pages: this.#pages,
      timeoutMs: this.options.readTimeoutMs,
      signal: this.#tasks.signal,
    })
    this.#station = this.#makeStation()
  }

  /** Begins to follow the log, for as long as it takes. */
  start(): void {
    const hub = this as { readonly position: TailPosition | undefined }
    const listener = {
      get position() {
        return hub.position
      },
      begin: (extent: LogExtent) => this.#begin(extent),
      take: (news: TailNews) => this.#take(news),
    }
    this.#run('follow the event log', async (signal) => await this.#follower.run(listener, signal))
    this.#run('look after stream connections', async (signal) => await this.#sweep(signal))
  }

  /** The last event that this node shows; undefined before the log was first read. */
  get position(): TailPosition | undefined {
    return this.#epoch === undefined ? undefined : { epoch: this.#epoch, seq: this.#pages.head }
  }

  /** Everybody who listens. */
  get subscribers(): ReadonlyMap<Subscriber, ConnectionFacts> {
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

  /** @throws StreamUnavailableError while the log is not followed, or the node goes down */
  assertReady(): void {
    if (this.#draining) throw new StreamUnavailableError('this node is going down')
    if (this.#follower.trouble !== undefined) throw new StreamUnavailableError(this.#follower.trouble)
  }

  /** @throws StreamUnavailableError while nobody can be served: the log was never read, or the node goes down */
  assertServing(): void {
    if (this.#draining || this.#epoch === undefined) this.assertReady()
  }

  /**
   * Lets a client listen. It is told `hello` and begins as soon as its place is found; when the log does not answer, it
   * is closed with 1011.
   */
  subscribe(request: SubscribeRequest): Subscriber {
    const subscriber = new Subscriber(this.#station, request.outlet, request.subscription)
    const facts = { connectionId: request.connectionId, client: request.client }
    this.#subscribers.set(subscriber, facts)
    this.#deps.presence?.('connected', facts)
    void this.#place(subscriber, request)
    return subscriber
  }

  /** The same connection listens to something else, from another place. */
  resubscribe(subscriber: Subscriber, request: Omit<SubscribeRequest, 'connectionId' | 'outlet'>): void {
    const facts = this.#subscribers.get(subscriber)
    if (facts === undefined) return
    this.#subscribers.set(subscriber, { ...facts, client: request.client })
    subscriber.restart(request.subscription)
    void this.#place(subscriber, { ...facts, ...request })
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
    for (const subscriber of leaving) subscriber.end(CLOSE.RESTART, LEAVING)
  }

  async stop({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    this.#draining = true
    for (const subscriber of this.#subscribers.keys()) subscriber.end(CLOSE.RESTART, LEAVING)
    await this.#tasks.stop({ timeoutMs })
  }

  #makeStation(): Station {
    const hub = this as { readonly position: TailPosition | undefined }
    return {
      clock: this.#deps.clock,
      options: this.options,
      pages: this.#pages,
      channels: new Channels(this.#pages, this.options),
      figures: this.figures,
      get epoch() {
        return hub.position?.epoch ?? ''
      },
      load: async (seq) => await this.#reader.load(seq),
      missing: (subscriber, seq) => void this.#expire(subscriber, seq),
      guarded: (subscriber, work) => this.#guarded(subscriber, work),
      ended: (subscriber) => {
        const facts = this.#subscribers.get(subscriber)
        if (facts !== undefined) this.#deps.presence?.('disconnected', facts)
        this.#subscribers.delete(subscriber)
        this.#placing.delete(subscriber)
      },
    }
  }

  #run(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    this.#tasks.spawn(name, work).catch((error: unknown) => {
      if (!this.#tasks.signal.aborted) this.#deps.logger.error({ err: error }, `${name} has ended`)
    })
  }

  #begin({ epoch, oldest, head }: LogExtent): void {
    if (this.#epoch !== undefined) this.#lostEpochs.add(this.#epoch)
    this.#lostEpochs.delete(epoch)
    this.#epoch = epoch
    this.#oldest = oldest
    this.#pages.restart(head)
  }

  #take(news: TailNews): void {
    if (news.kind === 'events') {
      this.#pages.append(news.events, { keep: this.#subscribers.size > 0 })
      if (this.#subscribers.size > 0) void this.#flushThisTurn(news.events[0]?.timestamp)
      return
    }
    const { extent } = news
    if (extent.epoch === this.#epoch) {
      // A log that says again which history it is goes back in it; what comes twice is passed over.
      this.#oldest = extent.oldest
      return
    }
    this.#begin({ ...extent, head: extent.oldest - 1 })
    this.#deps.logger.warn({ epoch: extent.epoch }, 'The history of events was lost; a new one begins')
    for (const subscriber of this.#subscribers.keys()) {
      if (subscriber.state === 'starting' || subscriber.epoch === extent.epoch) continue
      this.#guarded(subscriber, () => subscriber.reset('epoch_changed', extent))
    }
  }

  /** Everything that comes in one turn of the loop goes out in one write for each socket (R27). */
  async #flushThisTurn(oldest: string | undefined): Promise<void> {
    if (this.#flushDue) return
    this.#flushDue = true
    await nextTurn()
    this.#flushDue = false
    for (const subscriber of this.#subscribers.keys()) this.#guarded(subscriber, () => subscriber.pull())
    const takenIn = oldest === undefined ? undefined : parseTimestamp(oldest)
    if (takenIn !== undefined) this.figures.latency(this.#deps.clock.now() - takenIn)
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    while (!signal.aborted) {
      await clock.sleep(this.options.sweepMs, { signal })
      const now = clock.monotonic()
      let lag = 0
      for (const subscriber of this.#subscribers.keys()) {
        this.#guarded(subscriber, () => subscriber.upkeep(now))
        lag = Math.max(lag, subscriber.behindEvents)
      }
      this.#station.channels.forgetChunks()
      this.figures.publish(lag)
    }
  }

  #guarded(subscriber: Subscriber, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#deps.logger.error({ err: error }, 'A stream connection failed')
      subscriber.end(CLOSE.SERVER_ERROR, 'Something unexpected happened.')
    }
  }

  async #place(subscriber: Subscriber, request: PlaceRequest): Promise<void> {
    this.#placing.set(subscriber, request)
    const here = { epoch: this.#epoch ?? '', oldest: this.#oldest, head: this.#pages.head }
    try {
      const placement = await this.#reader.place(request.since, here)
      const { extent, start } = placement
      // Whoever was replaced or ended meanwhile is placed by somebody else, or not at all.
      if (this.#placing.get(subscriber) !== request) return
      // The history was lost while its place was looked for: it is looked for again, in the new one.
      if (this.#lostEpochs.has(extent.epoch)) return await this.#place(subscriber, request)
      this.#placing.delete(subscriber)
      if (extent.epoch === this.#epoch) this.#oldest = extent.oldest
      if (start.resumed) this.figures.resumed('resumed')
      subscriber.begin(start, extent, helloFrame(placement, request, this.options))
    } catch (error) {
      this.#deps.logger.warn(`A client could not be placed in the stream: ${errorMessage(error)}`)
      subscriber.end(CLOSE.SERVER_ERROR, 'The event log does not answer.')
    }
  }

  /** Tells a client that what it still had to read was dropped by the retention. */
  async #expire(subscriber: Subscriber, seq: number): Promise<void> {
    const extent = await this.#reader.extent()
    if (extent === undefined || extent.epoch !== subscriber.epoch || seq >= extent.oldest) return
    this.#oldest = extent.oldest
    this.#guarded(subscriber, () => subscriber.reset('cursor_expired', extent))
  }
}
