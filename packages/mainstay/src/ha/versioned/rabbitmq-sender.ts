import { Connection, type Publisher } from 'rabbitmq-client'

import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage, TimeoutError } from '../../core/errors.ts'
import { maskUrl, type Logger } from '../../core/logging.ts'
import type { BusMessage } from './bus-message.ts'

export interface RabbitmqSenderOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** `amqp://user:password@host:port/vhost` */
  readonly url: string
  /** [control_exchange] */
  readonly exchange?: string
  /** [oslo_messaging_notifications] topics */
  readonly topics?: readonly string[]
  /** Whether exchange and queues survive a restart of the bus; must be as the others there have it. */
  readonly durable?: boolean
  /** How long one message may take. */
  readonly sendTimeoutMs?: number
}

const DEFAULT_TOPICS = ['versioned_notifications']
const PRIORITIES = ['info', 'error']

/**
 * Sends messages to RabbitMQ as oslo.messaging would: one topic exchange, a queue for each topic and priority.
 *
 * Source: ha-api.md 18.
 */
export class RabbitmqSender {
  readonly #options: RabbitmqSenderOptions
  readonly #connection: Connection
  readonly #publisher: Publisher

  constructor(options: RabbitmqSenderOptions) {
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

  /** Ends the connection. */
  async close({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    const { clock } = this.#options
    try {
      await withDeadline({ clock, what: 'Closing the message bus', timeoutMs }, async () => {
        await this.#publisher.close()
        await this.#connection.close()
      })
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
      this.#connection.unsafeDestroy()
    }
  }

  /**
   * Sends one message to every topic; resolves when the bus has it. Messages leave in the order of the calls.
   *
   * @throws TimeoutError, what the bus says against it
   */
  async deliver({ priority, body }: BusMessage, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const { clock, exchange = 'masakari', topics = DEFAULT_TOPICS, sendTimeoutMs = 30_000 } = this.#options
    const limits = { clock, what: 'Sending an event to the message bus', timeoutMs: sendTimeoutMs, signal }
    await withDeadline(limits, async () => {
      // Without a pause in between: a message that is delivered meanwhile must not overtake this one in any topic.
      const sending = topics.map((topic) => {
        const properties = { contentType: 'application/json', contentEncoding: 'utf-8', durable: true }
        return this.#publisher.send({ exchange, routingKey: `${topic}.${priority}`, ...properties }, Buffer.from(body))
      })
      await Promise.all(sending)
    })
  }
}
