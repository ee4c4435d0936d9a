import { InvalidInputError } from '../../core/errors.ts'
import type { Lifecycle } from '../../core/lifecycle.ts'
import { SystemRandom } from '../../core/random.ts'
import { openMemoryPool } from '../../pool/memory/store.ts'
import { openRedisPool } from '../../pool/redis/store.ts'
import type { PoolStore } from '../../pool/store.ts'
import { openRedis } from '../../store/redis/index.ts'
import type { Parts } from '../parts.ts'

/** How long Redis may take to be there when the program starts. */
const REDIS_TIMEOUT_MS = 10_000

export interface OpenedPoolStore {
  readonly store: PoolStore
  /** What the banner says of it. */
  readonly description: string
}

/**
 * Opens the pool's memory where the configuration says: Redis for many machines, else the database of this one.
 *
 * @throws InvalidInputError, RedisUnavailableError
 */
export async function openPoolStore(parts: Parts, lifecycle: Lifecycle): Promise<OpenedPoolStore> {
  const { config, clock, ids, logger } = parts
  const { redis_url: url, redis_prefix: prefix } = config.pool
  if (url !== '') {
    const connection = openRedis({ clock, logger, random: new SystemRandom(), url, name: 'mainstay-pool' })
    lifecycle.started('redis of the pool', async () => await connection.close())
    await connection.whenReady({ timeoutMs: REDIS_TIMEOUT_MS })
    const store = await openRedisPool({ connection, clock, logger, prefix })
    lifecycle.started('pool store', async () => await store[Symbol.asyncDispose]())
    return { store, description: `Redis below ${prefix}` }
  }
  if (parts.store.store.kind !== 'sqlite') {
    throw new InvalidInputError('The pool is kept in SQLite or in Redis: with PostgreSQL give pool.redis_url as well.')
  }
  const store = openMemoryPool({ ids })
  lifecycle.started('pool store', async () => await store[Symbol.asyncDispose]())
  return { store, description: 'the memory of this process' }
}
