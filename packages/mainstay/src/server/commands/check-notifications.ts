import type { Clock } from '../../core/clock.ts'
import { InvalidInputError } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { SystemRandom } from '../../core/random.ts'
import { bridgeRedisFromUrl } from '../../events/compat/bridge-redis.ts'
import { redisDriver } from '../../events/compat/redis-driver.ts'
import { ExchangeDiscovery } from '../../events/openstack/exchange-discovery.ts'
import { rabbitmq } from '../../events/openstack/rabbitmq.ts'
import { authority, sourcesOf } from '../build-events/start-notifications.ts'
import type { Config } from '../config/schema.ts'

export interface NeighbourCheckDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/**
 * Looks which exchanges the broker has. Nothing is made or bound there.
 *
 * @returns what a line of `mainstay check` says
 * @throws when the broker cannot be reached
 */
export async function checkBroker(config: Config, deps: NeighbourCheckDeps): Promise<string> {
  const { clock, logger, signal, timeoutMs } = deps
  const { url, ca_file: caFile } = config.events.openstack
  const connection = await rabbitmq({ logger, ...authority(caFile) }).connect({ url, timeoutMs, signal })
  try {
    const sources = sourcesOf(config)
    const discovery = new ExchangeDiscovery({ clock, logger, sources })
    await discovery.checkForNewExchanges(connection)
    const there = new Set(discovery.available.map(({ exchange }) => exchange))
    const missing = new Set(sources.map(({ exchange }) => exchange).filter((exchange) => !there.has(exchange)))
    return there.size === 0
      ? `connected; no service has sent a notification yet (${[...missing].join(', ')} are looked for)`
      : `connected; exchanges ${[...there].join(', ')}${missing.size === 0 ? '' : `; not yet ${[...missing].join(', ')}`}`
  } finally {
    await connection.close()
  }
}

/**
 * Connects to the bus that versioned notifications go to. Nothing is made there.
 *
 * @returns what a line of `mainstay check` says
 * @throws when the bus cannot be reached, or no address is given
 */
export async function checkBus(config: Config, { logger, signal, timeoutMs }: NeighbourCheckDeps): Promise<string> {
  const { url, topics } = config.notifications
  if (url === '') throw new InvalidInputError('notifications.driver is rabbitmq, but notifications.url is empty.')
  const connection = await rabbitmq({ logger }).connect({ url, timeoutMs, signal })
  await connection.close()
  return `connected; topics ${topics.join(', ')}`
}

/** @throws when Redis cannot be reached */
export async function checkBridgeRedis(
  config: Config,
  { clock, logger, timeoutMs }: NeighbourCheckDeps,
): Promise<string> {
  const { redis_url: url, input_channel: input, output_channel: output } = config.events.bridge
  const settings = { ...bridgeRedisFromUrl(url), connectTimeoutMs: timeoutMs }
  const redis = redisDriver({ clock, random: new SystemRandom(), logger })(settings)
  try {
    await redis.ping()
    const channels = [input === '' ? [] : [`hears ${input}`], output === '' ? [] : [`publishes on ${output}`]].flat()
    return `connected; ${channels.join(', ')}`
  } finally {
    await redis.close()
  }
}
