import { withDeadline } from '../../core/deadline.ts'
import { SystemIds } from '../../core/ids.ts'
import { SystemRandom } from '../../core/random.ts'
import { ProviderFleet } from '../../pool/provider/fleet.ts'
import type { Provider } from '../../pool/provider/provider.ts'
import { openRedisPool } from '../../pool/redis/store.ts'
import { openSqlitePool } from '../../pool/sqlite/store.ts'
import type { PoolStore } from '../../pool/store.ts'
import { providerlessMachines, providerlessText } from '../../pool/providerless-machines.ts'
import { openRedis } from '../../store/redis/index.ts'
import { openStore } from '../build-store.ts'
import type { NeighbourCheckDeps } from '../commands/check-notifications.ts'
import type { Config } from '../config/schema.ts'
import { keptInstallation } from './installation-id.ts'
import { poolProviders } from './pool-providers.ts'
import { poolSettings } from './pool-settings.ts'

/** What one look at a part of the pool is called, and how it is done. */
export interface PoolLook {
  readonly name: string
  readonly remedy: string
  /** @returns what was seen @throws what is wrong */
  readonly look: () => Promise<string>
}

/** What the pool needs, one look each: its options, its Redis, its records, each of its providers. Nothing is changed. */
export function poolLooks(config: Config, deps: NeighbourCheckDeps): PoolLook[] {
  const { pool } = config
  if (pool.compat !== 'none' || pool.groups.length === 0) return []
  const { clock } = deps
  const options: PoolLook = {
    name: 'pool',
    remedy: 'Correct the section [pool]; docs/how-to/vm-pools.md has examples.',
    look: async () => {
      const fleet = fleetOf(config, deps)
      try {
        const { configuration, labels } = poolSettings(pool, { clock, fleet })
        return `${configuration.groups.length} groups, ${labels.length} sized labels, ${fleet.providers.length} providers`
      } finally {
        await fleet.close()
      }
    },
  }
  const redis: PoolLook = {
    name: 'pool (redis)',
    remedy: 'See that Redis runs, and that pool.redis_url is right.',
    look: async () => await lookAtRedis(pool.redis_url, deps),
  }
  return [
    options,
    ...(pool.redis_url === '' ? [] : [redis]),
    {
      name: 'pool machines',
      remedy: 'See the message: the records of the pool could not be read.',
      look: async () => await lookAtMachines(config, deps),
    },
    ...pool.providers.map(({ name }) => ({
      name: `pool provider ${name}`,
      remedy: 'See the message; docs/how-to/pool-providers.md says what each driver needs.',
      look: async () => await lookAtProvider(config, name, deps),
    })),
  ]
}

function fleetOf(config: Config, { clock }: NeighbourCheckDeps): ProviderFleet {
  // Before the first start nothing is ours yet.
  const installation = config.pool.installation || (keptInstallation(config) ?? 'not made yet')
  const parts = { clock, installation }
  return new ProviderFleet({ clock, random: new SystemRandom(), members: poolProviders(config.pool.providers, parts) })
}

async function lookAtRedis(url: string, { clock, logger, signal, timeoutMs }: NeighbourCheckDeps): Promise<string> {
  await using connection = openRedis({ clock, logger, random: new SystemRandom(), url, name: 'mainstay-check' })
  await connection.whenReady({ timeoutMs, signal })
  return `answers ${String(await connection.ask(['PING']))}`
}

/** Whether every machine has its provider. One that has none is no fault of the options, but somebody should know. */
async function lookAtMachines(config: Config, deps: NeighbourCheckDeps): Promise<string> {
  const fleet = fleetOf(config, deps)
  try {
    const providerless = await withRecords(config, deps, async (store) => await providerlessMachines(store, fleet))
    if (providerless === null) return 'no records yet'
    const warnings = [...providerless].map(([provider, names]) => providerlessText(provider, names))
    return warnings.length === 0 ? 'each of a provider that is configured' : `warning: ${warnings.join(' ')}`
  } finally {
    await fleet.close()
  }
}

/** Reads the pool's records where the configuration says that they are; null where nothing was ever kept. */
async function withRecords<T>(
  config: Config,
  { clock, logger, signal, timeoutMs }: NeighbourCheckDeps,
  read: (store: PoolStore) => Promise<T>,
): Promise<T | null> {
  const { redis_url: url, redis_prefix: prefix } = config.pool
  if (url !== '') {
    await using connection = openRedis({ clock, logger, random: new SystemRandom(), url, name: 'mainstay-check' })
    await connection.whenReady({ timeoutMs, signal })
    await using store = await openRedisPool({ connection, clock, logger, prefix })
    return await read(store)
  }
  const ids = new SystemIds()
  const built = openStore(config, { clock, logger })
  try {
    if (built.store.kind !== 'sqlite' || (await built.store.pendingMigrations()).length > 0) return null
    await using store = openSqlitePool({ store: built.store, ids })
    return await read(store)
  } finally {
    await built.release()
  }
}

async function lookAtProvider(config: Config, name: string, deps: NeighbourCheckDeps): Promise<string> {
  const { clock, signal, timeoutMs } = deps
  const fleet = fleetOf(config, deps)
  try {
    const provider = fleet.provider(name)
    if (provider === undefined) throw new Error(`there is no provider ${name}`)
    const what = `Asking the provider ${name}`
    return await withDeadline({ clock, what, timeoutMs, signal }, async (within) => await describe(provider, within))
  } finally {
    await fleet.close()
  }
}

async function describe(provider: Provider, signal: AbortSignal): Promise<string> {
  const { driver, capabilities } = provider
  if (!capabilities.list) return `${driver}, which cannot list: what a crash leaves behind is not found`
  return `${driver}, ${(await provider.list({ signal })).length} machines of this installation`
}
