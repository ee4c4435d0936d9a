import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { Random } from '../../core/random.ts'
import { openRedis, RedisUnavailableError, type RedisConnection } from '../../store/redis/index.ts'
import type {
  BridgeFrame,
  BridgeRedis,
  BridgeRedisFactory,
  BridgeRedisSettings,
  BridgeSubscriber,
} from './bridge-redis.ts'
import { EventQueue } from './event-queue.ts'

/** Messages that wait to be looked at, and their letters; who falls so far behind starts again. */
const MAX_WAITING = 10_000
const MAX_WAITING_LENGTH = 64 * 1024 * 1024

/** A connection lives as long as one attempt of the bridge, whose own pauses grow; these only must not miss its end. */
const PAUSES = { reconnectMinMs: 200, reconnectMaxMs: 1000 }

/** The bridge's connections to a real Redis. */
export function redisDriver(deps: { clock: Clock; random: Random; logger: Logger }): BridgeRedisFactory {
  return (settings) => {
    const { connectTimeoutMs } = settings
    const options = { url: urlOf(settings), name: 'mainstay-bridge', connectTimeoutMs, ...PAUSES }
    const connection = openRedis({ ...deps, ...options })
    return new RedisBridge(connection, settings, deps.clock)
  }
}

class RedisBridge implements BridgeRedis {
  readonly #connection: RedisConnection
  readonly #settings: BridgeRedisSettings
  readonly #clock: Clock

  constructor(connection: RedisConnection, settings: BridgeRedisSettings, clock: Clock) {
    this.#connection = connection
    this.#settings = settings
    this.#clock = clock
  }

  async ping(): Promise<void> {
    await this.#connection.whenReady({ timeoutMs: this.#settings.connectTimeoutMs })
    await this.#connection.ask(['PING'])
  }

  async publish(channel: string, text: string): Promise<number> {
    return Number(await this.#connection.ask(['PUBLISH', channel, text]))
  }

  subscriber(): BridgeSubscriber {
    const deps = { connection: this.#connection, settings: this.#settings, clock: this.#clock }
    return new RedisSubscription({ ...deps, ping: async () => await this.ping() })
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }
}

interface SubscriptionDeps {
  readonly connection: RedisConnection
  readonly settings: BridgeRedisSettings
  readonly clock: Clock
  /** Asks the same server over another connection. */
  readonly ping: () => Promise<void>
}

/**
 * A channel that is heard over a connection of its own. When that is lost the next poll says so: what was published
 * meanwhile is lost, which must not look like silence.
 */
class RedisSubscription implements BridgeSubscriber {
  readonly #deps: SubscriptionDeps
  readonly #frames = new EventQueue<BridgeFrame>()
  readonly #lost = new AbortController()
  #waitingLength = 0
  #own: RedisConnection | undefined
  #checkedAt = 0

  constructor(deps: SubscriptionDeps) {
    this.#deps = deps
  }

  async subscribe(channel: string): Promise<void> {
    const { connection, settings, clock } = this.#deps
    const own = connection.duplicate({ name: 'mainstay-bridge-in' })
    this.#own = own
    await own.whenReady({ timeoutMs: settings.connectTimeoutMs })
    own.onChange((ready) => {
      if (!ready) this.#lose('The connection that hears the channel was lost.')
    })
    await own.hear(channel, (data) => this.#arrived(data))
    this.#checkedAt = clock.monotonic()
  }

  async poll({ timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal }): Promise<BridgeFrame | null> {
    const { clock } = this.#deps
    // What has arrived is given out even if the connection is lost by now.
    const frame = this.#frames.shift() ?? (await this.#next({ clock, ms: timeoutMs }, signal))
    if (frame !== undefined) {
      this.#waitingLength -= frame.data.length
      return frame
    }
    if (signal.aborted) return null
    await this.#checkHealth()
    return null
  }

  async close(): Promise<void> {
    const own = this.#own
    this.#own = undefined
    await own?.close()
  }

  /**
   * A silent channel and a dead connection look the same. The other connection to the same server is asked, because
   * one that hears a channel cannot be.
   *
   * @throws RedisUnavailableError
   */
  async #checkHealth(): Promise<void> {
    const { clock, settings, ping } = this.#deps
    if (clock.monotonic() - this.#checkedAt < settings.healthCheckIntervalMs) return
    await ping()
    this.#checkedAt = clock.monotonic()
  }

  async #next(timeout: { clock: Clock; ms: number }, signal: AbortSignal): Promise<BridgeFrame | undefined> {
    try {
      return await this.#frames.take({ signal: AbortSignal.any([signal, this.#lost.signal]), timeout })
    } catch (error) {
      if (signal.aborted) return undefined
      throw error
    }
  }

  #arrived(data: string): void {
    if (this.#frames.size >= MAX_WAITING || this.#waitingLength + data.length > MAX_WAITING_LENGTH) {
      return this.#lose('Too many messages wait.')
    }
    this.#waitingLength += data.length
    this.#frames.put({ type: 'message', data })
  }

  #lose(why: string): void {
    this.#lost.abort(new RedisUnavailableError(`${why} It is made again by itself.`))
  }
}

function urlOf({ host, port, db, username = '', password = '', tls = false }: BridgeRedisSettings): string {
  const account =
    username === '' && password === '' ? '' : `${encodeURIComponent(username)}:${encodeURIComponent(password)}@`
  const place = host.includes(':') ? `[${host}]` : host
  return `${tls ? 'rediss' : 'redis'}://${account}${place}:${port}/${db}`
}
