import { Connection, type Publisher } from 'rabbitmq-client'

import type { Clock } from '../../core/clock.ts'
import type { RequestContext } from '../../core/context.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage, TimeoutError } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import { maskUrl, type Logger } from '../../core/logging.ts'
import type { Notifier } from '../announce.ts'
import type { HaEvent } from '../events.ts'
import { busMessage, type BusMessage } from './bus-message.ts'

export interface RabbitmqNotifierOptions {
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** `amqp://user:password@host:port/vhost` */
  readonly url: string
  /** [control_exchange] */
  readonly exchange?: string
  /** [oslo_messaging_notifications] topics */
  readonly topics?: readonly string[]
  /** Whether exchange and queues survive a restart of the bus; must be as the others there have it. */
  readonly durable?: boolean
  /** The most events that wait for the bus; the newest are dropped beyond it. */
  readonly maxWaiting?: number
  /** How long one event may wait for the bus. */
  readonly sendTimeoutMs?: number
}

const DEFAULT_TOPICS = ['versioned_notifications']
const PRIORITIES = ['info', 'error']

/**
 * Sends events to RabbitMQ as oslo.messaging would: one topic exchange, a queue for each topic and priority. Best
 * effort: an event that cannot be delivered in time is dropped and counted in the log, and nobody waits for the bus.
 *
 * Source: ha-api.md 18.
 */
export class RabbitmqNotifier implements Notifier {
  readonly #options: RabbitmqNotifierOptions
  readonly #connection: Connection
  readonly #publisher: Publisher
  readonly #waiting = new Set<Promise<void>>()

  constructor(options: RabbitmqNotifierOptions) {
    const { url, logger, exchange = 'masakari', topics = DEFAULT_TOPICS, durable = false } = options
    this.#options = options
    this.#connection = new Connection({ url, connectionName: 'mainstay' })
    this.#connection.on('error', (error: unknown) =>
      logger.warn({ err: error }, `The message bus at ${maskUrl(url)} is away: ${errorMessage(error)}`),
    )
    const queues = topics.flatMap((topic) => PRIORITIES.map((priority) => `${topic}.${priority}`))
    this.#publisher = this.#connection.createPublisher({
      confirm: true,
      exchanges: [{ exchange, type: 'topic', durable }],
      queues: queues.map((queue) => ({ queue, durable })),
      queueBindings: queues.map((queue) => ({ queue, exchange, routingKey: queue })),
    })
  }

  notify(event: HaEvent, context: RequestContext): void {
    const { logger, maxWaiting = 10_000 } = this.#options
    if (this.#waiting.size >= maxWaiting) {
      logger.warn(`The message bus is too slow: ${event.resource}.${event.action}.${event.phase} was dropped`)
      return
    }
    const sending = this.#send(event, context)
    this.#waiting.add(sending)
    sending
      .catch((error: unknown) => logger.warn({ err: error }, `An event did not reach the bus: ${errorMessage(error)}`))
      .finally(() => this.#waiting.delete(sending))
  }

  /** Waits for what is on its way, then ends the connection. */
  async close({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    const { clock, logger } = this.#options
    try {
      await withDeadline({ clock, what: 'Closing the message bus', timeoutMs }, async () => {
        await Promise.allSettled(this.#waiting)
        await this.#publisher.close()
        await this.#connection.close()
      })
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
      logger.warn(`${this.#waiting.size} events did not reach the message bus.`)
      this.#connection.unsafeDestroy()
    }
  }

  async #send(event: HaEvent, context: RequestContext): Promise<void> {
    const { clock, ids } = this.#options
    await this.deliver(busMessage(event, { ids, nowMs: clock.now(), context }))
  }

  /**
   * Sends one message to every topic; resolves when the bus has it.
   *
   * @throws TimeoutError, what the bus says against it
   */
  async deliver({ priority, body }: BusMessage, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const { clock, exchange = 'masakari', topics = DEFAULT_TOPICS, sendTimeoutMs = 30_000 } = this.#options
    const limits = { clock, what: 'Sending an event to the message bus', timeoutMs: sendTimeoutMs, signal }
    await withDeadline(limits, async () => {
      for (const topic of topics) {
        await this.#publisher.send(
          {
            exchange,
            routingKey: `${topic}.${priority}`,
            contentType: 'application/json',
            contentEncoding: 'utf-8',
            durable: true,
          },
          Buffer.from(body),
        )
      }
    })
  }
}
