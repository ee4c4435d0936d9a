import { twoMasters } from '../../packages/mainstay/src/pool/testing/two-masters.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { redisPool } from './support/redis-pool.ts'

const redis = usePrivateRedis()

twoMasters('Redis', async () => ({
  open: async () => await redisPool(redis().port, 'pool:'),
  [Symbol.asyncDispose]: async () => {},
}))
