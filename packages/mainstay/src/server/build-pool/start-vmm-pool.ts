import { ShutdownError } from '../../core/errors.ts'
import type { Lifecycle } from '../../core/lifecycle.ts'
import { SystemRandom } from '../../core/random.ts'
import {
  RedisDriver,
  VmManager,
  VmmRunner,
  cleanUpPeriodically,
  hookMachines,
  type RunnerDependencies,
  type VmmOptions,
} from '../../pool/vmm/index.ts'
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
  const redis = new RedisDriver(connection, { clock, logger })
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
  if (options.listPlaybook !== undefined) startCleaning(options, { redis, clock, logger, tasks }, lifecycle)
  logger.info(
    { groups: options.groups.length, prefix: options.prefix },
    'The VM pool works as the VM manager of Copr did',
  )
}

/** Looks for orphans from time to time. */
function startCleaning(options: VmmOptions, dependencies: RunnerDependencies, lifecycle: Lifecycle): void {
  const stopping = new AbortController()
  const source = hookMachines(options)
  const cleaning = { ...dependencies, source, manager: new VmManager(options, dependencies) }
  const ended = dependencies.tasks.spawn('vmm orphan clean-up', async () => {
    await cleanUpPeriodically(options, cleaning, { signal: stopping.signal }).catch((error: unknown) => {
      if (!stopping.signal.aborted) throw error
    })
  })
  lifecycle.started('vmm orphan clean-up', async () => {
    stopping.abort(new ShutdownError('The clean-up of orphans'))
    await ended
  })
}
