import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { MainstayError, ShutdownError, errorMessage } from '../../core/errors.ts'
import { maskUrl, type Logger } from '../../core/logging.ts'
import type { Ingest } from '../ingest.ts'
import { fullJitterMs } from '../compat/bridge-options.ts'
import { loopStarter, type LoopTask, type StartLoop } from '../compat/loop-task.ts'
import type { AmqpConnection, AmqpConsumer, AmqpFactory, AmqpMessage, ConsumerSpec } from './amqp.ts'
import type { BaremetalEvents } from './baremetal-events.ts'
import { ExchangeDiscovery, type AvailableSource } from './exchange-discovery.ts'
import { NotificationForwarder, type HttpClient } from './notification-forwarder.ts'
import { NotificationIntake, type NotificationBridge, type NotificationIntakeDeps } from './notification-intake.ts'
import type { NotificationSource } from './notification-source.ts'
import type { ReadLimits } from './oslo-notification.ts'

/** The broker does not answer, so notifications are not heard now. It keeps those for our queues. */
export class BrokerUnavailableError extends MainstayError {
  readonly code = 'MS_BROKER_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true
}

export interface NotificationListenerOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly amqp: AmqpFactory
  readonly url: string
  readonly sources: readonly NotificationSource[]
  /** Stores events; without it they only cross the bridge. */
  readonly ingest?: Pick<Ingest, 'accept'> | null
  readonly bridge?: NotificationBridge | null
  readonly baremetal?: BaremetalEvents | null
  /** An API that is told of changes of machines; empty for none. */
  readonly apiUrl?: string
  /** Makes the client for it, once one is needed. */
  readonly httpClient?: () => HttpClient
  readonly startLoop?: StartLoop
  readonly limits?: ReadLimits
  readonly prefetch?: number
  readonly connectTimeoutMs?: number
  /** How long it waits before it connects again, by attempt from 1. */
  readonly retryDelayMs?: (attempt: number) => number
  readonly discoveryIntervalMs?: number
  readonly figures?: Pick<NotificationIntakeDeps, 'onReceived' | 'onDeadLetter' | 'onLeftOut'>
}

/** Unacknowledged messages of one queue. Source: event-stream.md R3. */
export const DEFAULT_PREFETCH = 200

const STOP_TIMEOUT_MS = 10_000

/**
 * Takes notifications of OpenStack services from the broker.
 *
 *   connecting ──refused──▶ waiting ──▶ connecting
 *       └──▶ no exchange yet ──first one seen──▶ consuming ──another one seen──▶ consuming from that too
 *   any ──stop──▶ stopped
 *
 * A connection that is lost later makes itself again with all its consumers; what was not acknowledged comes again, and
 * the log drops what it has already.
 *
 * Source: event-stream.md section 8.
 */
export class NotificationListener implements AsyncDisposable {
  readonly discovery: ExchangeDiscovery
  readonly intake: NotificationIntake
  readonly bridge: NotificationBridge | null
  readonly forwarder: NotificationForwarder | null
  readonly #options: NotificationListenerOptions
  readonly #stopping = new AbortController()
  readonly #startLoop: StartLoop
  readonly #consumers = new Map<string, AmqpConsumer>()
  #connection: AmqpConnection | undefined
  #task: LoopTask | undefined

  constructor(options: NotificationListenerOptions) {
    const { clock, logger, sources, apiUrl = '', httpClient, bridge = null, ingest = null, baremetal = null } = options
    this.#options = options
    this.#startLoop = options.startLoop ?? loopStarter({ clock, logger })
    this.bridge = bridge
    if (bridge === null && ingest === null)
      logger.warn('There is neither an event log nor a bridge: notifications go nowhere')
    this.forwarder =
      apiUrl === '' || httpClient === undefined
        ? null
        : new NotificationForwarder({ apiUrl, http: httpClient(), clock, logger })
    const { limits, figures } = options
    this.intake = new NotificationIntake({
      clock,
      logger,
      ingest,
      bridge,
      baremetal,
      forwarder: this.forwarder,
      ...(limits === undefined ? {} : { limits }),
      ...figures,
    })
    const { discoveryIntervalMs: intervalMs } = options
    this.discovery = new ExchangeDiscovery({
      clock,
      logger,
      sources,
      startLoop: this.#startLoop,
      ...(intervalMs === undefined ? {} : { intervalMs }),
    })
  }

  /** Names of the queues that are consumed. */
  get queues(): readonly string[] {
    return [...this.#consumers.keys()]
  }

  /** Whether the broker answers now. */
  get connected(): boolean {
    return this.#connection?.connected === true
  }

  /** @throws BrokerUnavailableError while the broker does not answer */
  async check(): Promise<void> {
    if (this.connected) return
    throw new BrokerUnavailableError(
      `The broker at ${maskUrl(this.#options.url)} does not answer. It is tried again by itself, and keeps notifications meanwhile.`,
    )
  }

  start(): void {
    this.#task ??= this.#startLoop('notification listener', async () => await this.run())
  }

  /** Listens until it is stopped. */
  async run(): Promise<void> {
    const { amqp, url, clock, logger, connectTimeoutMs = 30_000, retryDelayMs = fullJitterMs } = this.#options
    const { signal } = this.#stopping
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        const connection = await amqp.connect({ url, timeoutMs: connectTimeoutMs, signal })
        attempt = 0
        await this.#serve(connection)
      } catch (error) {
        if (signal.aborted) break
        const waitMs = retryDelayMs(attempt === 0 ? 1 : attempt)
        const seconds = Math.round(waitMs / 100) / 10
        const text = `No notifications from the broker at ${maskUrl(url)}: ${errorMessage(error)}. Next try in ${seconds} s`
        logger.error({ err: error }, text)
        await clock.sleep(waitMs, { signal }).catch((reason: unknown) => {
          if (!signal.aborted) throw reason
        })
      }
    }
    logger.info('The notification listener stopped')
  }

  /**
   * Opens a consumer for every exchange that is there and has none. One that cannot be set up is left out, and looked for
   * again.
   *
   * @returns the consumers that are open
   */
  async openConsumers(connection: AmqpConnection): Promise<readonly AmqpConsumer[]> {
    const { logger } = this.#options
    for (const source of this.discovery.available) {
      if (this.#consumers.has(source.queue)) continue
      try {
        const take = async (message: AmqpMessage): Promise<void> => await this.intake.take(message, source.service)
        this.#consumers.set(source.queue, await connection.consume(this.#consumerSpec(source), take))
        logger.info(`Listening to ${source.service} on the queue ${source.queue}`)
      } catch (error) {
        logger.error({ err: error }, `The queue ${source.queue} cannot be consumed: ${errorMessage(error)}`)
        this.discovery.forget(source.queue)
      }
    }
    if (this.#consumers.size === 0) logger.error('There is no queue to listen to')
    return [...this.#consumers.values()]
  }

  /** Stops taking messages; what was not stored goes back to the broker. */
  async stop(): Promise<void> {
    const { logger } = this.#options
    this.#stopping.abort(new ShutdownError('Listening to notifications'))
    this.intake.stop(new ShutdownError('Storing a notification'))
    if (this.#task?.ended === false) await this.#task.wait({ timeoutMs: STOP_TIMEOUT_MS })
    await this.#inTime('Finishing what followed from notifications', async () => await this.intake.idle())
    logger.debug('Nothing is left of the notification listener')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #serve(connection: AmqpConnection): Promise<void> {
    const { signal } = this.#stopping
    this.#connection = connection
    try {
      await this.discovery.waitForExchanges(connection, signal)
      while (!signal.aborted) {
        await untilAborted(this.openConsumers(connection), signal)
        const found = Promise.withResolvers<void>()
        this.discovery.start(connection, found.resolve)
        await untilAborted(found.promise, signal)
        await this.discovery.stop()
      }
    } finally {
      this.#connection = undefined
      await this.discovery.stop()
      const closed = await this.#inTime('Closing the connection to the broker', async () => {
        await Promise.allSettled(this.#consumers.values().map(async (consumer) => await consumer.close()))
        await connection.close()
      })
      if (!closed) connection.destroy()
      this.#consumers.clear()
    }
  }

  #consumerSpec({ queue, exchange, exchangeProperties, routingKeys }: AvailableSource): ConsumerSpec {
    return {
      queue,
      queueOptions: { durable: true, autoDelete: false },
      exchange: { exchange, ...exchangeProperties, passive: true },
      routingKeys,
      prefetch: this.#options.prefetch ?? DEFAULT_PREFETCH,
      noAck: false,
    }
  }

  /** @returns whether it was done in time */
  async #inTime(what: string, work: () => Promise<void>): Promise<boolean> {
    const { clock, logger } = this.#options
    try {
      await withDeadline({ clock, what, timeoutMs: STOP_TIMEOUT_MS }, work)
      return true
    } catch (error) {
      logger.warn({ err: error }, errorMessage(error))
      return false
    }
  }
}

/** Waits for something, or for the end. */
async function untilAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>()
  const onAbort = (): void => aborted.resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
