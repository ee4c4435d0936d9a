import type {
  AmqpChannel,
  AmqpConnection,
  AmqpConsumer,
  AmqpFactory,
  AmqpMessage,
  ConsumerSpec,
  ExchangeDeclaration,
} from '../amqp.ts'

export interface FakeConsumer extends AmqpConsumer {
  readonly wanted: ConsumerSpec
  readonly deliver: (message: AmqpMessage) => Promise<void>
  closed: boolean
}

/** A broker whose exchanges a test makes, and which fails where it is told to. */
export class FakeBroker implements AmqpFactory {
  readonly exchanges = new Set<string>()
  readonly declared: ExchangeDeclaration[] = []
  readonly consumers: FakeConsumer[] = []
  readonly connects: { url: string; timeoutMs: number }[] = []
  /** Thrown by the next connections, one each. */
  readonly refusals: Error[] = []
  /** Queues that cannot be consumed. */
  readonly broken = new Set<string>()
  channelFailure: Error | undefined
  connected = true
  openChannels = 0
  closed = 0
  destroyed = 0

  async connect({ url, timeoutMs }: { url: string; timeoutMs: number }): Promise<AmqpConnection> {
    this.connects.push({ url, timeoutMs })
    const refusal = this.refusals.shift()
    if (refusal !== undefined) throw refusal
    return this.connection
  }

  readonly connection: AmqpConnection = ((broker: FakeBroker): AmqpConnection => ({
    get connected() {
      return broker.connected
    },
    openChannel: async () => broker.#openChannel(),
    consume: async (wanted, handler) => broker.#consume(wanted, handler),
    close: async () => void (broker.closed += 1),
    destroy: () => void (broker.destroyed += 1),
  }))(this)

  /** Delivers a message as the broker would. */
  async deliver(queue: string, message: Partial<AmqpMessage>): Promise<void> {
    const consumer = this.consumers.find((each) => each.wanted.queue === queue && !each.closed)
    if (consumer === undefined) throw new Error(`Nobody consumes ${queue}.`)
    await consumer.deliver({ body: '', routingKey: 'notifications.info', redelivered: false, ...message })
  }

  #openChannel(): AmqpChannel {
    if (this.channelFailure !== undefined) throw this.channelFailure
    this.openChannels += 1
    return {
      declareExchange: async (exchange) => {
        this.declared.push(exchange)
        if (!this.exchanges.has(exchange.exchange)) throw new Error(`NOT_FOUND - no exchange '${exchange.exchange}'`)
      },
      close: async () => void (this.openChannels -= 1),
    }
  }

  #consume(wanted: ConsumerSpec, deliver: FakeConsumer['deliver']): AmqpConsumer {
    if (this.broken.has(wanted.queue)) throw new Error('ACCESS_REFUSED')
    const consumer: FakeConsumer = {
      wanted,
      deliver,
      closed: false,
      close: async () => void (consumer.closed = true),
    }
    this.consumers.push(consumer)
    return consumer
  }
}
