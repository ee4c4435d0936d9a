import { poolStoreConformance } from '../../packages/mainstay/src/pool/conformance.ts'
import { poolStoreProperty } from '../../packages/mainstay/src/pool/property.ts'
import type { PoolPlace } from '../../packages/mainstay/src/pool/testing/lab.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { redisPool } from './support/redis-pool.ts'

const redis = usePrivateRedis()

async function place(): Promise<PoolPlace> {
  return { open: async () => await redisPool(redis().port, 'pool:'), [Symbol.asyncDispose]: async () => {} }
}

poolStoreConformance('Redis', place)
poolStoreProperty('Redis', place, { operations: 10_000 })
