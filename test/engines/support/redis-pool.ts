import { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../../packages/mainstay/src/core/random.ts'
import { openRedisPool } from '../../../packages/mainstay/src/pool/redis/store.ts'
import type { PoolStore } from '../../../packages/mainstay/src/pool/store.ts'
import { openRedis, type RedisConnection } from '../../../packages/mainstay/src/store/redis/index.ts'

const PATIENCE_MS = 30_000

/** A connection of its own to a Redis of the test. */
export async function connectTo(port: number): Promise<RedisConnection> {
  const options = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger() }
  const connection = openRedis({ ...options, port, reconnectMinMs: 20, reconnectMaxMs: 200 })
  await connection.whenReady({ timeoutMs: PATIENCE_MS })
  return connection
}

/** A pool with a connection of its own, as another process would have; both are closed together. */
export async function redisPool(port: number, prefix: string): Promise<PoolStore> {
  const connection = await connectTo(port)
  const store = await openRedisPool({ connection, prefix, clock: new SystemClock(), logger: silentLogger() })
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await connection.close()
    },
  }
}
