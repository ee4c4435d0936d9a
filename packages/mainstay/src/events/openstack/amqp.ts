/** What the listener needs of a broker. Source: event-stream.md 8.1, 9. */
export interface AmqpFactory {
  /** @throws when nobody answers, or who answers refuses, within `timeoutMs`; the signal's reason */
  connect(options: { url: string; timeoutMs: number; signal: AbortSignal }): Promise<AmqpConnection>
}

/** A connection that makes itself again when it is lost. */
export interface AmqpConnection {
  /** Whether the broker answers now. */
  readonly connected: boolean
  openChannel(): Promise<AmqpChannel>
  /**
   * Starts to consume and goes on after each loss of the connection, until the consumer is closed.
   *
   * @param handler takes a message; when it resolves the message is acknowledged, when it rejects it is given back
   * @throws when it cannot be set up now
   */
  consume(wanted: ConsumerSpec, handler: (message: AmqpMessage) => Promise<void>): Promise<AmqpConsumer>
  /** Ends it once all channels are closed. */
  close(): Promise<void>
  /** Ends it at once. */
  destroy(): void
}

export interface AmqpChannel {
  /** A passive declaration asks whether the exchange exists, and changes nothing. A failure closes the channel. */
  declareExchange(exchange: ExchangeDeclaration): Promise<void>
  close(): Promise<void>
}

export interface AmqpConsumer {
  /** Takes no more; waits for the messages that are being handled. */
  close(): Promise<void>
}

export interface ExchangeProperties {
  readonly type: 'topic'
  readonly durable: boolean
}

export interface ExchangeDeclaration extends ExchangeProperties {
  readonly exchange: string
  readonly passive: true
}

export interface ConsumerSpec {
  readonly queue: string
  readonly queueOptions: { readonly durable: boolean; readonly autoDelete: false }
  readonly exchange: ExchangeDeclaration
  readonly routingKeys: readonly string[]
  /** Messages that may be on their way without being acknowledged. */
  readonly prefetch: number
  /** Messages are acknowledged one by one, after they were stored. */
  readonly noAck: false
}

export interface AmqpMessage {
  /** Bytes, or what the client library has made of them. */
  readonly body: unknown
  readonly routingKey: string
  readonly redelivered: boolean
}
