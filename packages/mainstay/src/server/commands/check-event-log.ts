import { InvalidInputError } from '../../core/errors.ts'
import { openEventRedis } from '../build-events/event-redis.ts'
import type { Config } from '../config/schema.ts'
import type { NeighbourCheckDeps } from './check-notifications.ts'

/** The first version whose streams can be trimmed to a place. */
const OLDEST_REDIS = [6, 2] as const

/**
 * Looks whether the Redis of the event log can be reached and used, and says what it does with its data.
 *
 * @throws RedisUnavailableError, RedisReplyError, InvalidInputError
 */
export async function checkEventRedis(config: Config, deps: NeighbourCheckDeps): Promise<string> {
  const { signal, timeoutMs } = deps
  await using redis = openEventRedis(config, deps)
  await redis.whenReady({ timeoutMs: Math.min(timeoutMs, config.check.connect_timeout_ms), signal })
  const info = String(await redis.ask(['INFO'], { signal }))
  const said = (name: string): string => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? 'unknown'
  const version = said('redis_version')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1])) {
    throw new InvalidInputError(`Redis ${version} is too old for the event log, which needs ${OLDEST_REDIS.join('.')}.`)
  }
  const kept =
    said('aof_enabled') === '1' ? 'keeps its data over a restart' : 'forgets what it had not saved at a restart'
  const policy = said('maxmemory_policy')
  const evicts = policy === 'noeviction' || policy === 'unknown' ? '' : `; may drop events to save memory (${policy})`
  return `connected to Redis ${version}, which ${kept}${evicts}`
}
