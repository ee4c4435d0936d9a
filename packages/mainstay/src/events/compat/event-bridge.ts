import { SystemClock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import { toJson, type Json, type JsonObject } from '../../core/json.ts'
import { silentLogger } from '../../core/logging.ts'
import {
  DEFAULT_BRIDGE_CHANNEL,
  DEFAULT_SUBSCRIPTION_POLICY,
  fullJitterMs,
  type BridgeManager,
  type EventBridgeOptions,
} from './bridge-options.ts'
import { BridgeOutbox } from './bridge-outbox.ts'
import { bridgeRedisFromEnvironment } from './bridge-redis.ts'
import { readBridged, type BridgedEvent } from './bridged-event.ts'
import { EventSpoolFullError } from '../errors.ts'
import { EventQueue, QueueFullError } from './event-queue.ts'
import { loopStarter, type LoopTask } from './loop-task.ts'
import { RedisLink } from './redis-link.ts'
import { runSubscription, type SubscriptionPolicy } from './redis-subscription.ts'

const PROCESS_TIMEOUT_MS = 10_000
const TAKE_TIMEOUT_MS = 1_000
const STOP_TIMEOUT_MS = 5_000

/**
 * Moves `{event_type, payload}` between processes over a Redis channel, as the reference's listener and API processes do.
 *
 * Three loops may run: the *subscription* takes what others publish to the manager; the *processor* takes what is in the
 * local queue to the manager; the *reconnector* runs while Redis is away and then publishes the local queue in order.
 * The last two never compete: with a manager the local queue is the processor's, without one the reconnector's.
 *
 * Invariant: events that are added are published, wait in the local queue, or were reported as dropped; those that are
 * published are so in the order of adding.
 *
 * Source: event-stream.md section 7.
 */
export class EventBridge implements AsyncDisposable {
  readonly localQueue: EventQueue<BridgedEvent>
  /** Settles when the first attempt to reach Redis is over. */
  readonly ready: Promise<void>
  readonly #options: Required<Omit<EventBridgeOptions, 'subscription' | 'env' | 'settings' | 'redisFactory'>>
  readonly #policy: SubscriptionPolicy
  readonly #link: RedisLink
  readonly #outbox: BridgeOutbox
  readonly #stopping = new AbortController()
  #manager: BridgeManager | null = null
  #subscription: LoopTask | undefined
  #processor: LoopTask | undefined
  #reconnector: LoopTask | undefined
  #seeking = false
  #subscribed = false
  #adding: Promise<void> = Promise.resolve()
  #shutdown: Promise<void> | undefined

  constructor(options: EventBridgeOptions = {}) {
    const { clock = new SystemClock(), logger = silentLogger(), env = {}, redisFactory = null } = options
    this.#options = {
      startLoop: loopStarter({ clock, logger }),
      channel: DEFAULT_BRIDGE_CHANNEL,
      reconnectDelayMs: (attempt) => fullJitterMs(attempt),
      maxWaiting: 10_000,
      spool: null,
      eventLogLevel: 'debug',
      ...options,
      clock,
      logger,
    }
    this.#policy = { ...DEFAULT_SUBSCRIPTION_POLICY, ...options.subscription }
    this.#link = new RedisLink({
      factory: redisFactory,
      settings: options.settings ?? (() => bridgeRedisFromEnvironment(env)),
      logger,
    })
    this.localQueue = new EventQueue({ limit: this.#options.maxWaiting })
    const { spool } = this.#options
    this.#outbox = new BridgeOutbox({ ...this.#options, link: this.#link, queue: this.localQueue, spool })
    this.ready = this.#open()
  }

  /** The connection that publishes, and the one that is to hear; null without Redis. */
  get redis(): Pick<RedisLink, 'client' | 'subscriber'> {
    return this.#link
  }

  /** Whether the channel is heard now. */
  get subscribed(): boolean {
    return this.#subscribed
  }

  /** Connects to Redis anew. Never throws: without success there is no connection afterwards. */
  async initRedis(): Promise<void> {
    await this.#link.connect()
  }

  /** Says who takes what comes over the bridge, and begins to listen. */
  setManager(manager: BridgeManager): void {
    this.#manager = manager
    this.#subscribe()
    if (this.#processor?.ended ?? true) {
      this.#processor = this.#options.startLoop('event bridge processor', async () => await this.runProcessor())
    }
  }

  /** Sends an event over the bridge. Nothing is ever thrown. */
  async addEvent(eventType: string, payload: Json): Promise<void> {
    this.#adding = this.#addAfter(this.#adding, { event_type: eventType, payload })
    await this.#adding
  }

  /** Hands an event that came over the bridge to the manager. Nothing is ever thrown. */
  async processSingleEvent(event: Json): Promise<void> {
    const { clock, logger } = this.#options
    const manager = this.#manager
    if (manager === null) {
      logger.warn('No WebSocket manager available, dropping event')
      return
    }
    try {
      const { eventType, payload } = readBridged(event)
      await withDeadline({ clock, what: 'Taking in a bridged event', timeoutMs: PROCESS_TIMEOUT_MS }, async () => {
        await manager.broadcastEventFromNotification(eventType, payload)
      })
    } catch (error) {
      logger.error({ err: error }, `Error processing event via bridge: ${errorMessage(error)}`)
    }
  }

  /** Takes the local queue to the manager until shutdown. */
  async runProcessor(): Promise<void> {
    const { clock, logger } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const event = await this.localQueue
        .take({ timeout: { clock, ms: TAKE_TIMEOUT_MS }, signal })
        .catch(unlessAborted(signal))
      if (event === undefined) continue
      try {
        await this.processSingleEvent(event)
      } catch (error) {
        logger.error({ err: error }, `Unexpected error in event bridge processor: ${errorMessage(error)}`)
      } finally {
        this.localQueue.done()
      }
    }
    logger.info('Event bridge processor stopped')
  }

  /** Hears the channel until shutdown, or until it is given up. */
  async runSubscription(): Promise<void> {
    await runSubscription({
      ...this.#options,
      policy: this.#policy,
      signal: this.#stopping.signal,
      takeHandle: () => this.#link.takeSubscriber(),
      initRedis: async () => await this.initRedis(),
      onEvent: async (event) => {
        if (this.#manager === null) this.localQueue.put(event)
        else await this.processSingleEvent(event)
      },
      onSubscribed: (subscribed) => (this.#subscribed = subscribed),
    })
  }

  /** Looks for Redis until it is there, and then publishes what waited for it, in order. */
  async runReconnector(): Promise<void> {
    const { clock, logger, reconnectDelayMs } = this.#options
    const { signal } = this.#stopping
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      await clock.sleep(reconnectDelayMs(attempt), { signal }).catch(unlessAborted(signal))
      if (signal.aborted) return
      if (this.#link.client === null) await this.initRedis()
      this.#subscribe()
      try {
        if (await this.#drain()) return logger.info('The event bridge has caught up with Redis')
      } catch (error) {
        logger.error({ err: error }, `What waits for Redis cannot be read: ${errorMessage(error)}`)
      }
    }
  }

  /** Ends everything. A second call waits for the first. */
  async shutdown(): Promise<void> {
    this.#shutdown ??= this.#stop()
    await this.#shutdown
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  async #open(): Promise<void> {
    await this.initRedis()
    this.#subscribe()
    if (this.#link.client === null || this.#outbox.hasLeftovers) this.#seekRedis()
  }

  /** Begins to listen, where there is somebody to listen for and something to listen to. */
  #subscribe(): void {
    if (this.#manager === null || this.#link.client === null || this.#subscription !== undefined) return
    this.#subscription = this.#options.startLoop('event bridge subscriber', async () => await this.runSubscription())
  }

  #seekRedis(): void {
    if (this.#seeking || this.#stopping.signal.aborted || !this.#link.configured) return
    this.#seeking = true
    this.#reconnector = this.#options.startLoop('event bridge reconnector', async () => await this.runReconnector())
  }

  async #addAfter(earlier: Promise<void>, event: JsonObject): Promise<void> {
    const { logger } = this.#options
    await earlier
    try {
      await this.#add(event)
    } catch (error) {
      const full = error instanceof QueueFullError || error instanceof EventSpoolFullError
      if (full) logger.warn('Event bridge queue is full, dropping event')
      else logger.error({ err: error }, `Error adding event to bridge: ${errorMessage(error)}`)
    }
  }

  async #add(event: JsonObject): Promise<void> {
    const text = toJson(event)
    // What waits for Redis goes first.
    if (this.#link.client !== null && !this.#seeking) {
      if (await this.#outbox.publish(event, text)) return
      await this.initRedis()
      if (await this.#outbox.publish(event, text, ' after reconnect')) return
      this.#options.logger.error('Redis reconnection failed: events wait here until it is back')
      await this.#link.drop()
    }
    try {
      await this.#outbox.keep(event, { forManager: this.#manager !== null })
    } finally {
      this.#seekRedis()
    }
  }

  /** Publishes what waits, unless it is the processor's. @returns whether nothing is left to do */
  async #drain(): Promise<boolean> {
    if (this.#link.client === null) return false
    if (this.#manager === null && !(await this.#outbox.drain())) {
      await this.#link.drop()
      return false
    }
    this.#seeking = false
    return true
  }

  async #stop(): Promise<void> {
    const { logger } = this.#options
    logger.info('The event bridge is shutting down')
    this.#stopping.abort()
    try {
      await this.#link.takeSubscriber()?.close()
    } catch (error) {
      logger.error({ err: error }, `Error closing Redis subscriber: ${errorMessage(error)}`)
    }
    for (const task of [this.#processor, this.#subscription, this.#reconnector]) {
      if (task?.ended === false) await task.wait({ timeoutMs: STOP_TIMEOUT_MS })
    }
    await this.#link.drop()
    if (this.localQueue.size > 0) logger.warn(`${this.localQueue.size} events of the bridge were not published`)
  }
}

/** The end of a wait that shutdown has cut short. */
function unlessAborted(signal: AbortSignal): (error: unknown) => undefined {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
