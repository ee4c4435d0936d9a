import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import { SystemRandom } from '../../core/random.ts'
import { openRedis, type RedisConnection } from '../../store/redis/index.ts'
import type { Config } from '../config/schema.ts'

/** The connection of the event log, as it is configured. @throws InvalidInputError */
export function openEventRedis({ events }: Config, deps: { clock: Clock; logger: Logger }): RedisConnection {
  return openRedis({
    ...deps,
    random: new SystemRandom(),
    name: 'mainstay-events',
    url: events.redis_url,
    connectTimeoutMs: events.redis_connect_timeout_ms,
    commandTimeoutMs: events.redis_command_timeout_ms,
    reconnectMinMs: events.redis_reconnect_min_ms,
    reconnectMaxMs: events.redis_reconnect_max_ms,
    healthyAfterMs: events.redis_healthy_after_ms,
  })
}
