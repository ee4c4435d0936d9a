import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { BridgeRedis, BridgeRedisFactory, BridgeRedisSettings, BridgeSubscriber } from './bridge-redis.ts'

/** The bridge's two connections to Redis: one publishes, one hears. Source: event-stream.md 7.1. */
export class RedisLink {
  readonly #factory: BridgeRedisFactory | null
  readonly #settings: () => BridgeRedisSettings
  readonly #logger: Logger
  #client: BridgeRedis | null = null
  #subscriber: BridgeSubscriber | null = null
  #connecting: Promise<void> | undefined

  constructor(deps: { factory: BridgeRedisFactory | null; settings: () => BridgeRedisSettings; logger: Logger }) {
    this.#factory = deps.factory
    this.#settings = deps.settings
    this.#logger = deps.logger
  }

  /** Whether there is a Redis to look for. */
  get configured(): boolean {
    return this.#factory !== null
  }

  get client(): BridgeRedis | null {
    return this.#client
  }

  /** The handle that nobody uses yet. */
  get subscriber(): BridgeSubscriber | null {
    return this.#subscriber
  }

  /** Gives the handle away; whoever has it closes it. */
  takeSubscriber(): BridgeSubscriber | null {
    const subscriber = this.#subscriber
    this.#subscriber = null
    return subscriber
  }

  /** Connects anew. Never throws: without success both are null afterwards. Calls at the same time share one attempt. */
  async connect(): Promise<void> {
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined))
    await this.#connecting
  }

  /** Lets go of the connections that nobody else has. */
  async drop(): Promise<void> {
    const [subscriber, client] = [this.takeSubscriber(), this.#client]
    this.#client = null
    await closeQuietly(subscriber, this.#logger)
    await closeQuietly(client, this.#logger)
  }

  async #connect(): Promise<void> {
    await this.drop()
    if (this.#factory === null) {
      this.#logger.warn('No Redis is configured: the event bridge works with its local queue only')
      return
    }
    let client: BridgeRedis | null = null
    try {
      client = this.#factory(this.#settings())
      await client.ping()
      this.#logger.info('The event bridge is connected to Redis')
      this.#subscriber = client.subscriber()
      this.#client = client
    } catch (error) {
      this.#logger.error({ err: error }, `Failed to connect to Redis: ${errorMessage(error)}`)
      await closeQuietly(client, this.#logger)
    }
  }
}

/** Closes a connection that may be broken already. */
export async function closeQuietly(connection: { close(): Promise<void> } | null, logger: Logger): Promise<void> {
  try {
    await connection?.close()
  } catch (error) {
    logger.debug({ err: error }, 'A connection to Redis was broken already')
  }
}
