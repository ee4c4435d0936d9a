import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import type { Logger } from '../../core/logging.ts'
import { subscribeTo, type RedisConnection, type RedisReply, type RedisScript } from '../../store/redis/index.ts'
import type { BusItem, VmmRedis } from './redis.ts'

/** How long Redis may take to confirm a subscription, connecting included. */
const SUBSCRIBE_TIMEOUT_MS = 10_000

/** The commands of the compatible pool over a connection to Redis or Valkey. */
export class RedisDriver implements VmmRedis {
  readonly #connection: RedisConnection
  readonly #clock: Clock
  readonly #logger: Logger

  constructor(connection: RedisConnection, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#connection = connection
    this.#clock = clock
    this.#logger = logger
  }

  async hGetAll(key: string): Promise<Record<string, string>> {
    const flat = texts(await this.#connection.ask(['HGETALL', key]))
    const pairs = flat.flatMap((field, index) => (index % 2 === 0 ? [[field, flat[index + 1]!] as const] : []))
    return Object.fromEntries(pairs)
  }

  async hGet(key: string, field: string): Promise<string | null> {
    return text(await this.#connection.ask(['HGET', key, field]))
  }

  async hSet(key: string, fields: Readonly<Record<string, string>>): Promise<void> {
    await this.#connection.ask(['HSET', key, ...Object.entries(fields).flat()])
  }

  async sMembers(key: string): Promise<string[]> {
    return texts(await this.#connection.ask(['SMEMBERS', key]))
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#connection.ask(['PUBLISH', channel, message])
  }

  async load({ source }: RedisScript): Promise<void> {
    await this.#connection.ask(['SCRIPT', 'LOAD', source])
  }

  async run(script: RedisScript, keys: readonly string[], args: readonly string[]): Promise<string | null> {
    return text(await this.#connection.runScript(script, keys, args))
  }

  async subscribe(channel: string, { signal }: { signal: AbortSignal }): Promise<AsyncIterable<BusItem>> {
    signal.throwIfAborted()
    const queue = new ItemQueue(signal)
    const confirmed = Promise.withResolvers<void>()
    confirmed.promise.catch(() => undefined) // told to whoever waits
    const subscription = subscribeTo(
      this.#connection,
      channel,
      {
        onSubscribed: () => {
          queue.push({ type: 'subscribe', data: channel })
          confirmed.resolve()
        },
        onMessage: (data) => queue.push({ type: 'message', data }),
      },
      { logger: this.#logger, name: 'mainstay-vmm-bus' },
    )
    const stop = (): void => {
      confirmed.reject(signal.reason)
      Promise.resolve(subscription[Symbol.asyncDispose]()).catch((error: unknown) =>
        this.#logger.warn({ err: error }, 'The subscription did not end in good order'),
      )
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      const bounds = { clock: this.#clock, what: 'Subscribing to the bus of the pool', timeoutMs: SUBSCRIBE_TIMEOUT_MS }
      await withDeadline({ ...bounds, signal }, async () => await confirmed.promise)
      return queue
    } catch (error) {
      signal.removeEventListener('abort', stop)
      stop()
      throw error
    }
  }
}

/** What arrived and was not taken yet. */
class ItemQueue implements AsyncIterable<BusItem> {
  readonly #signal: AbortSignal
  readonly #items: BusItem[] = []
  #arrived = Promise.withResolvers<void>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', () => this.#arrived.resolve(), { once: true })
  }

  push(item: BusItem): void {
    this.#items.push(item)
    this.#arrived.resolve()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BusItem> {
    while (!this.#signal.aborted) {
      const item = this.#items.shift()
      if (item !== undefined) {
        yield item
        continue
      }
      this.#arrived = Promise.withResolvers()
      if (this.#signal.aborted) return
      await this.#arrived.promise
    }
  }
}

function text(reply: RedisReply): string | null {
  if (reply === null) return null
  return typeof reply === 'number' ? String(reply) : (reply as string)
}

function texts(reply: RedisReply): string[] {
  return Array.isArray(reply) ? reply.map(String) : []
}
