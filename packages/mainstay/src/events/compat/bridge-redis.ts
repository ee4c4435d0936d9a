import { InvalidInputError } from '../../core/errors.ts'

/** How the bridge reaches Redis. Source: event-stream.md 7.1. */
export interface BridgeRedisSettings {
  readonly host: string
  readonly port: number
  readonly db: number
  readonly username?: string
  readonly password?: string
  readonly tls?: boolean
  readonly decodeText: true
  readonly connectTimeoutMs: number
  /** Null: a subscription may be silent for as long as it likes. */
  readonly readTimeoutMs: null
  readonly healthCheckIntervalMs: number
}

/** What came on a channel; only those of type `message` carry something. */
export interface BridgeFrame {
  readonly type: string
  readonly data: string
}

/** A connection that hears a channel; it can do nothing else. */
export interface BridgeSubscriber {
  subscribe(channel: string): Promise<void>
  /** Waits for the next frame. @returns null when `timeoutMs` are over, or the signal is aborted */
  poll(options: { timeoutMs: number; signal: AbortSignal }): Promise<BridgeFrame | null>
  close(): Promise<void>
}

/** A connection that publishes. It is opened by its first use. */
export interface BridgeRedis {
  ping(): Promise<void>
  /** @returns how many heard it */
  publish(channel: string, text: string): Promise<number>
  subscriber(): BridgeSubscriber
  close(): Promise<void>
}

export type BridgeRedisFactory = (settings: BridgeRedisSettings) => BridgeRedis

const CONNECT_TIMEOUT_MS = 10_000
const HEALTH_CHECK_INTERVAL_MS = 30_000

/** Settings with the figures that the bridge always uses. */
export function bridgeRedisSettings(
  place: Pick<BridgeRedisSettings, 'host' | 'port' | 'db'> & Partial<BridgeRedisSettings>,
): BridgeRedisSettings {
  return {
    decodeText: true,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    readTimeoutMs: null,
    healthCheckIntervalMs: HEALTH_CHECK_INTERVAL_MS,
    ...place,
  }
}

/**
 * Settings as the reference takes them from the environment: `REDIS_HOST`, `REDIS_PORT`, `REDIS_DB`.
 *
 * @throws InvalidInputError
 */
export function bridgeRedisFromEnvironment(env: Readonly<Record<string, string | undefined>>): BridgeRedisSettings {
  return bridgeRedisSettings({
    host: env['REDIS_HOST'] ?? 'redis',
    port: wholeNumber('REDIS_PORT', env['REDIS_PORT'] ?? '6379'),
    db: wholeNumber('REDIS_DB', env['REDIS_DB'] ?? '0'),
  })
}

/**
 * Settings from an address, `redis://[user:password@]host[:port][/db]` or `rediss://` for TLS.
 *
 * @throws InvalidInputError
 */
export function bridgeRedisFromUrl(text: string): BridgeRedisSettings {
  const url = URL.parse(text)
  if (url === null || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    throw new InvalidInputError('The address of Redis must look like redis://user:password@host:6379/0.')
  }
  const db = url.pathname.replace(/^\//, '')
  return bridgeRedisSettings({
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    db: wholeNumber('The database in the address of Redis', db === '' ? '0' : db),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' ? { tls: true } : {}),
  })
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,5}$/.test(text.trim())) throw new InvalidInputError(`${name} must be a whole number, not "${text}".`)
  return Number(text)
}
