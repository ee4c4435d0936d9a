import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { afterAll, beforeAll } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { eventLogConformance } from '../../packages/mainstay/src/events/log-conformance.ts'
import { RedisEventLog } from '../../packages/mainstay/src/events/redis/log.ts'
import { openRedis } from '../../packages/mainstay/src/store/redis/index.ts'
import { findProgram, need } from '../support/need.ts'

const program = { program: 'redis-server', package: 'redis-server' }

/** One server for the file; each test has keys of its own, and wiping removes those. */
let cluster: Cluster | undefined
let server: ManagedServer
let places = 0

beforeAll(async () => {
  if (findProgram(program) === undefined) return
  cluster = await Cluster.create({ name: 'events-log-redis' })
  server = cluster.component('redis')
  await server.start()
})

afterAll(async () => {
  await cluster?.dispose()
})

eventLogConformance('Redis', { shared: true, durable: true }, async (ctx) => {
  need(ctx, program)
  const prefix = `test-${(places += 1)}`
  const connect = () =>
    openRedis({ port: server.port, clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger() })
  return {
    open: async (options) => {
      const redis = connect()
      await redis.whenReady({ timeoutMs: 30_000 })
      return new RedisEventLog({ redis, prefix, ids: new SystemIds(), logger: silentLogger(), lookMs: 100, ...options })
    },
    wipe: async () => {
      await server.sql(`DEL {${prefix}}:log {${prefix}}:state {${prefix}}:seen {${prefix}}:ids`)
    },
    [Symbol.asyncDispose]: async () => {},
  }
})
