import type { Clock } from '../../core/clock.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import { SystemRandom, type Random } from '../../core/random.ts'
import { reconnectPauseMs } from '../../store/redis/index.ts'
import type { EventSpool } from '../spool/spool.ts'
import type { BridgeRedisFactory, BridgeRedisSettings } from './bridge-redis.ts'
import type { StartLoop } from './loop-task.ts'
import type { SubscriptionPolicy } from './redis-subscription.ts'

/** Who takes the events that come over the bridge. */
export interface BridgeManager {
  broadcastEventFromNotification(eventType: string, payload: unknown): Promise<void>
}

/** Events on disk, in the order of their coming. */
export type BridgeSpool = Pick<EventSpool<JsonObject>, 'isEmpty' | 'append' | 'peek' | 'drop'>

export interface EventBridgeOptions {
  readonly clock?: Clock
  readonly logger?: Logger
  readonly startLoop?: StartLoop
  readonly channel?: string
  /** Null where there is no Redis: events then stay in this process. */
  readonly redisFactory?: BridgeRedisFactory | null
  /** Where Redis is; as the reference finds it in the environment unless given. */
  readonly settings?: () => BridgeRedisSettings
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly subscription?: Partial<SubscriptionPolicy>
  /** How long the bridge waits before it looks for Redis again, by attempt from 1. */
  readonly reconnectDelayMs?: (attempt: number) => number
  /** Where events wait for Redis, where that is not this process's memory: its local queue then holds none. */
  readonly spool?: BridgeSpool | null
  /** The most events that wait in this process; more are dropped. */
  readonly maxWaiting?: number
  /** The level of the lines that say what happened to one event. */
  readonly eventLogLevel?: 'info' | 'debug'
}

export const DEFAULT_BRIDGE_CHANNEL = 'mainstay:events'

/** From nothing to half a minute, at random, so that nodes do not come back together. Source: event-stream.md R8. */
export function fullJitterMs(attempt: number, random: Random = new SystemRandom()): number {
  return reconnectPauseMs(attempt - 1, random.next(), { reconnectMinMs: 500, reconnectMaxMs: 30_000 })
}

export const DEFAULT_SUBSCRIPTION_POLICY: SubscriptionPolicy = {
  maxRetries: Infinity,
  retryDelayMs: (failures) => fullJitterMs(failures),
  pollTimeoutMs: 10_000,
  maxMessageLength: 1024 * 1024,
  healthyMs: 30_000,
}
