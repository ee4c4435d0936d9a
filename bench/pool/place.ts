import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster } from '@mainstay/testkit'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
import { openSqlitePool } from '../../packages/mainstay/src/pool/sqlite/store.ts'
import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'
import { openRedis, type RedisConnection } from '../../packages/mainstay/src/store/redis/index.ts'
import { SqliteStore } from '../../packages/mainstay/src/store/index.ts'

/** Where a pool is: a text, so that a process of its own can be told. */
export type Place = `redis:${number}` | `sqlite:${string}`

/** An open pool, and how many commands it has sent. */
export interface Opened extends AsyncDisposable {
  readonly pool: PoolStore
  readonly commands: () => number
  /** The bare connection, for the baseline; only of Redis. */
  readonly redis: RedisConnection | null
}

const PREFIX = 'bench:vmpool:'

export async function openPool(place: Place): Promise<Opened> {
  const [kind, where] = [place.slice(0, place.indexOf(':')), place.slice(place.indexOf(':') + 1)]
  if (kind === 'sqlite') {
    const store = SqliteStore.open({ path: where, busyTimeoutMs: 30_000 })
    await store.migrate()
    const pool = openSqlitePool({ store })
    return { pool, commands: () => 0, redis: null, [Symbol.asyncDispose]: async () => await store.close() }
  }
  const options = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger() }
  const redis = openRedis({ ...options, port: Number(where) })
  await redis.whenReady({ timeoutMs: 10_000 })
  let commands = 0
  const counting: RedisConnection = new Proxy(redis, {
    get: (target, member) => {
      if (member === 'ask' || member === 'runScript') commands += 1
      const value: unknown = Reflect.get(target, member)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const pool = await openRedisPool({ ...options, connection: counting, prefix: PREFIX })
  return {
    pool,
    commands: () => commands,
    redis,
    [Symbol.asyncDispose]: async () => {
      await pool[Symbol.asyncDispose]()
      await redis.close()
    },
  }
}

/** A fresh server or file for one size of pool. */
export async function makePlace(store: 'redis' | 'sqlite'): Promise<{ place: Place } & AsyncDisposable> {
  if (store === 'sqlite') {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-bench-pool-'))
    return {
      place: `sqlite:${join(directory, 'mainstay.db')}`,
      [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }),
    }
  }
  const cluster = await Cluster.create({ name: 'bench-pool' })
  const server = cluster.component('redis')
  await server.start()
  return {
    place: `redis:${server.port}`,
    [Symbol.asyncDispose]: async () => void (await cluster.dispose()),
  }
}
