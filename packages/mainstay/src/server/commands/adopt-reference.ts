import { SystemClock } from '../../core/clock.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { createLogger } from '../../core/logging.ts'
import { SystemRandom } from '../../core/random.ts'
import type { PoolConfiguration } from '../../pool/options.ts'
import { ProviderFleet } from '../../pool/provider/fleet.ts'
import { escaped, scan } from '../../pool/redis/names.ts'
import { openRedisPool } from '../../pool/redis/store.ts'
import { RedisDriver, VmmKeys, adoptReferencePool, lookAtReference, type ReferenceLook } from '../../pool/vmm/index.ts'
import { openRedis, type RedisConnection } from '../../store/redis/index.ts'
import { poolProviders } from '../build-pool/pool-providers.ts'
import { poolSettings } from '../build-pool/pool-settings.ts'
import type { Config } from '../config/schema.ts'
import { commandConfig, type ConfigurationOptions } from './command-config.ts'

export interface AdoptReferenceOptions extends ConfigurationOptions {
  readonly signal: AbortSignal
  readonly dryRun: boolean
}

/** What was adopted, or would be. */
export interface ReferenceAdoption {
  readonly machines: readonly {
    readonly name: string
    readonly group: string
    readonly state: string
    readonly owner: string | null
    readonly worker: string | null
    /** Whether it was adopted before. */
    readonly known: boolean
  }[]
  /** Records that are left as they are, and why. */
  readonly refused: readonly { readonly name: string; readonly because: string }[]
  /** What a person has to do before it can be done; empty unless this is a dry run. */
  readonly obstacles: readonly string[]
}

/** How long Redis may take to be there. */
const REDIS_TIMEOUT_MS = 10_000

/**
 * `mainstay pool adopt-reference`: what the VM manager of Copr left on Redis becomes the native pool's, on the same database and
 * with the same prefix.
 *
 * Source: vm-pool.md C18.
 *
 * @throws InvalidInputError saying what is in the way; RedisUnavailableError
 */
export async function adoptReference(options: AdoptReferenceOptions): Promise<ReferenceAdoption> {
  const config = await commandConfig(options)
  const clock = new SystemClock()
  // What is done and what is left is told by the command itself.
  const logger = createLogger(config.log).child({}, { level: 'error' })
  const configuration = await configurationOf(config, clock)
  const { redis_url: url, redis_prefix: prefix } = config.pool
  await using connection = openRedis({ clock, logger, random: new SystemRandom(), url, name: 'mainstay-adopt' })
  await connection.whenReady({ timeoutMs: REDIS_TIMEOUT_MS, signal: options.signal })
  const redis = new RedisDriver(connection, { clock, logger })
  const keys = new VmmKeys(prefix)
  const look = await lookAtReference(
    configuration.groups.flatMap(({ id }) => numberOf(id) ?? []),
    { redis, keys, clock },
  )
  const obstacles = [...(await forgotten(connection, prefix, configuration)), ...(await stillAtWork(connection, keys))]
  if (options.dryRun) return present(look, obstacles)
  if (obstacles.length > 0) throw new InvalidInputError(obstacles.join('\n'))
  await using store = await openRedisPool({ connection, clock, logger, prefix })
  const { refused } = await adoptReferencePool(configuration, { redis, keys, store, clock, logger })
  const isRefused = (name: string): boolean => refused.some((each) => each.name === name)
  return present({ machines: look.machines.filter(({ vm }) => !isRefused(vm.name)), refused }, [])
}

/** @throws InvalidInputError when the configuration is not one of a native pool on the database of the reference */
async function configurationOf(config: Config, clock: SystemClock): Promise<PoolConfiguration> {
  const { pool } = config
  if (pool.compat !== 'none') {
    throw new InvalidInputError(
      `With pool.compat = "${pool.compat}" there is nothing to adopt: the server works on these records as they are. ` +
        'Leave pool.compat out and describe the groups in pool.groups.',
    )
  }
  if (pool.redis_url === '') {
    throw new InvalidInputError(
      'The records of the reference are in Redis: give pool.redis_url, and pool.redis_prefix as it was there ("copr:backend:").',
    )
  }
  if (pool.groups.every(({ id }) => numberOf(id) === undefined)) {
    throw new InvalidInputError(
      'No group in pool.groups has the number of one of the reference: give them the ids "0", "1", … in the old order.',
    )
  }
  // Only to be read: nothing is asked of the providers, so any name will do for the installation.
  const members = poolProviders(pool.providers, { clock, installation: pool.installation || 'not asked' })
  const fleet = new ProviderFleet({ clock, random: new SystemRandom(), members })
  try {
    return poolSettings(pool, { clock, fleet }).configuration
  } finally {
    await fleet.close()
  }
}

/** Groups of the reference that have machines and no group in the configuration. */
async function forgotten(
  connection: RedisConnection,
  prefix: string,
  { groups }: PoolConfiguration,
): Promise<string[]> {
  const start = `${prefix}vm_pool:set::`
  const found = (await scan(connection, `${escaped(start)}*`)).map((key) => key.slice(start.length)).sort()
  const unknown = found.filter((id) => !groups.some((group) => group.id === id))
  return unknown.map((id) => `The group ${id} of the old pool has machines, and pool.groups has no id "${id}": add it.`)
}

/** Whether the old master, or another program, still works on these records. */
async function stillAtWork(connection: RedisConnection, keys: VmmKeys): Promise<string[]> {
  const answer = await connection.ask(['PUBSUB', 'NUMSUB', keys.bus])
  const count = Array.isArray(answer) ? Number(answer[1]) : 0
  if (count === 0) return []
  const who = count === 1 ? '1 program listens' : `${count} programs listen`
  return [`${who} on ${keys.bus}: stop the old master and its event handler first.`]
}

function numberOf(id: string): number | undefined {
  return /^\d+$/.test(id) ? Number(id) : undefined
}

function present({ machines, refused }: ReferenceLook, obstacles: readonly string[]): ReferenceAdoption {
  return {
    machines: machines.map(({ vm, known }) => {
      const { name, group, state, boundToUser: owner, worker } = vm
      return { name, group, state, owner, worker, known }
    }),
    refused,
    obstacles,
  }
}
