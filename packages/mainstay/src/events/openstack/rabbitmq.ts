import { Connection, type Channel, type ConnectionOptions, type Consumer } from 'rabbitmq-client'

import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type {
  AmqpChannel,
  AmqpConnection,
  AmqpConsumer,
  AmqpFactory,
  AmqpMessage,
  ConsumerSpec,
  ExchangeDeclaration,
} from './amqp.ts'
import { parseBrokerAddress } from './broker-address.ts'

export interface RabbitmqOptions {
  readonly logger: Logger
  /** Authorities that are trusted for TLS, PEM. */
  readonly ca?: string
  /** The connection's name in the broker's lists. */
  readonly name?: string
  /** The shortest and the longest pause before a lost connection is made again. Source: event-stream.md R8. */
  readonly reconnectMinMs?: number
  readonly reconnectMaxMs?: number
}

/** Connections to RabbitMQ. This is the one file of the stream that knows its client library. */
export function rabbitmq(options: RabbitmqOptions): AmqpFactory {
  return {
    connect: async ({ url, timeoutMs, signal }) => {
      signal.throwIfAborted()
      const connection = new Connection(connectionOptions(url, timeoutMs, options))
      const failed = Promise.withResolvers<never>()
      const onAbort = (): void => failed.reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      connection.once('error', failed.reject)
      try {
        await Promise.race([connection.onConnect(timeoutMs, true), failed.promise])
      } catch (error) {
        connection.on('error', ignore)
        connection.unsafeDestroy()
        throw error
      } finally {
        connection.off('error', failed.reject)
        signal.removeEventListener('abort', onAbort)
        failed.promise.catch(ignore)
      }
      return new RabbitmqConnection(connection, options.logger)
    },
  }
}

class RabbitmqConnection implements AmqpConnection {
  readonly #connection: Connection
  readonly #logger: Logger

  constructor(connection: Connection, logger: Logger) {
    this.#connection = connection
    this.#logger = logger
    connection.on('error', (error: unknown) =>
      logger.warn({ err: error }, `The connection to the broker is lost, and made again: ${errorMessage(error)}`),
    )
    connection.on('connection', () => logger.info('The connection to the broker is back'))
  }

  get connected(): boolean {
    return this.#connection.ready
  }

  async openChannel(): Promise<AmqpChannel> {
    return new RabbitmqChannel(await this.#connection.acquire())
  }

  async consume(wanted: ConsumerSpec, handler: (message: AmqpMessage) => Promise<void>): Promise<AmqpConsumer> {
    const { queue, queueOptions, exchange, routingKeys, prefetch, noAck } = wanted
    const consumer = this.#connection.createConsumer(
      {
        queue,
        noAck,
        requeue: true,
        queueOptions,
        qos: { prefetchCount: prefetch },
        exchanges: [exchange],
        queueBindings: routingKeys.map((routingKey) => ({ queue, exchange: exchange.exchange, routingKey })),
      },
      async ({ body, routingKey, redelivered }) => await handler({ body, routingKey, redelivered }),
    )
    try {
      await ready(consumer)
    } catch (error) {
      consumer.on('error', ignore)
      await consumer.close()
      throw error
    }
    consumer.on('error', (error: unknown) =>
      this.#logger.debug({ err: error, queue }, `The queue ${queue} was interrupted: ${errorMessage(error)}`),
    )
    return { close: async () => await consumer.close() }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  destroy(): void {
    this.#connection.unsafeDestroy()
  }
}

class RabbitmqChannel implements AmqpChannel {
  readonly #channel: Channel

  constructor(channel: Channel) {
    this.#channel = channel
  }

  async declareExchange(exchange: ExchangeDeclaration): Promise<void> {
    await this.#channel.exchangeDeclare(exchange)
  }

  async close(): Promise<void> {
    await this.#channel.close()
  }
}

/** Waits until a consumer is set up, or has failed to be so for the first time. */
async function ready(consumer: Consumer): Promise<void> {
  const done = Promise.withResolvers<void>()
  consumer.once('ready', done.resolve)
  consumer.once('error', done.reject)
  try {
    await done.promise
  } finally {
    consumer.off('ready', done.resolve)
    consumer.off('error', done.reject)
  }
}

function connectionOptions(url: string, connectionTimeout: number, options: RabbitmqOptions): ConnectionOptions {
  const { hosts, tls, ...account } = parseBrokerAddress(url)
  const { ca, name = 'mainstay events', reconnectMinMs = 500, reconnectMaxMs = 30_000 } = options
  return {
    ...account,
    ...(hosts.length === 1
      ? { hostname: hosts[0]!.host, port: hosts[0]!.port }
      : { hosts: hosts.map(({ host, port }) => `${host}:${port}`) }),
    ...(tls ? { tls: ca === undefined ? true : { ca } } : {}),
    connectionName: name,
    connectionTimeout,
    retryLow: reconnectMinMs,
    retryHigh: reconnectMaxMs,
    noDelay: true,
  }
}

/** A failure of something that has been given up already. */
function ignore(): void {}
