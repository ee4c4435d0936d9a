import { hostname } from 'node:os'

import { InvalidInputError } from '../../core/errors.ts'
import type { Lifecycle } from '../../core/lifecycle.ts'
import { SystemRandom } from '../../core/random.ts'
import { toEvent } from '../../pool/change.ts'
import { consumeChanges } from '../../pool/redis/change-consumer.ts'
import { openRedisPool } from '../../pool/redis/store.ts'
import { openSqlitePool } from '../../pool/sqlite/store.ts'
import type { PoolStore } from '../../pool/store.ts'
import { writeToOutbox } from '../../store/index.ts'
import { openRedis, type RedisConnection } from '../../store/redis/index.ts'
import type { Parts } from '../parts.ts'

/** How long Redis may take to be there when the program starts. */
const REDIS_TIMEOUT_MS = 10_000

export interface OpenedPoolStore {
  readonly store: PoolStore
  /** What the banner says of it. */
  readonly description: string
  /** Carries the pool's changes into the event log; null where the store itself puts them into the outbox. */
  readonly carryEvents: CarryEvents | null
}

export type CarryEvents = (signal: AbortSignal) => Promise<void>

/** Every change is carried by one of the processes that share this name. */
const EVENT_GROUP = 'mainstay-events'

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
    return { store, description: `Redis below ${prefix}`, carryEvents: carryingFrom(connection, parts) }
  }
  if (parts.store.store.kind !== 'sqlite') {
    throw new InvalidInputError('The pool is kept in SQLite or in Redis: with PostgreSQL give pool.redis_url as well.')
  }
  const store = openSqlitePool({ store: parts.store.store, ids })
  lifecycle.started('pool store', async () => await store[Symbol.asyncDispose]())
  return { store, description: parts.store.description, carryEvents: null }
}

/** Carries every change into the outbox, and says that it is done only then: one that a crash cuts off comes again. */
function carryingFrom(connection: RedisConnection, { config, clock, logger, store, relay }: Parts): CarryEvents {
  return async (signal) => {
    await consumeChanges({
      connection,
      clock,
      logger,
      signal,
      prefix: config.pool.redis_prefix,
      group: EVENT_GROUP,
      consumer: hostname(),
      handle: async (change) => {
        await store.store.write(async (queries) => await writeToOutbox(queries, toEvent(change)))
        relay.poke()
      },
    })
  }
}
