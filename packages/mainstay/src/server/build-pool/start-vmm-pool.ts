import type { Lifecycle } from '../../core/lifecycle.ts'
import { SystemRandom } from '../../core/random.ts'
import { RedisDriver, VmmRunner } from '../../pool/vmm/index.ts'
import { openRedis } from '../../store/redis/index.ts'
import type { Parts } from '../parts.ts'
import { vmmOptions } from './vmm-options.ts'

/** How long Redis may take to be there when the program starts. */
const REDIS_TIMEOUT_MS = 10_000

/**
 * Starts a pool that works as the reference did.
 *
 * @throws InvalidInputError, RedisUnavailableError
 */
export async function startVmmPool({ config, clock, logger, tasks }: Parts, lifecycle: Lifecycle): Promise<void> {
  const options = vmmOptions(config.vmm)
  const { redis_url: url, redis_host: host, redis_port: port, redis_db: db } = config.vmm
  const connection = openRedis({ clock, logger, random: new SystemRandom(), url, host, port, db, name: 'mainstay-vmm' })
  lifecycle.started('redis of the vm pool', async () => await connection.close())
  await connection.whenReady({ timeoutMs: REDIS_TIMEOUT_MS })
  const redis = new RedisDriver(connection, { logger })
  const alone = config.server.roles.every((role) => role === 'pool')
  const runner = new VmmRunner(options, {
    redis,
    clock,
    logger,
    tasks,
    // A process that does other things as well keeps its name.
    setTitle: alone ? (title) => void (process.title = title) : undefined,
  })
  lifecycle.started('vm pool', async () => await runner.terminate())
  await runner.run()
  logger.info(
    { groups: options.groups.length, prefix: options.prefix },
    'The VM pool works as the VM manager of Copr did',
  )
}
