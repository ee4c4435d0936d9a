import { Cluster } from '@mainstay/testkit'
import { afterAll, beforeAll, beforeEach } from 'vitest'

import { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../../packages/mainstay/src/core/random.ts'
import { openRedis, type RedisConnection } from '../../../packages/mainstay/src/store/redis/index.ts'
import { findProgram, need, type Skipping } from '../../support/need.ts'

const REDIS = { program: 'redis-server', package: 'redis-server' }

/** Finds Redis, or skips the test. */
export function needRedis(ctx: Skipping): void {
  need(ctx, REDIS)
}

/** One Redis for all tests of a file, empty at the start of each. @returns it, for use inside of a test */
export function usePrivateRedis(): () => PrivateRedis {
  let shared: PrivateRedis | undefined
  beforeAll(async () => {
    if (findProgram(REDIS) !== undefined) shared = await PrivateRedis.start()
  })
  beforeEach(async (ctx) => {
    needRedis(ctx)
    await shared?.empty()
  })
  afterAll(async () => await shared?.[Symbol.asyncDispose]())
  return () => {
    if (shared === undefined) throw new Error('Redis is there inside of a test only.')
    return shared
  }
}

const PATIENCE_MS = 30_000

/** A Redis of our own with one connection to it, both gone when it is disposed. */
export class PrivateRedis implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly port: number
  readonly connection: RedisConnection

  private constructor(cluster: Cluster, port: number) {
    this.#cluster = cluster
    this.port = port
    const clock = new SystemClock()
    this.connection = openRedis({
      clock,
      random: new SystemRandom(),
      logger: silentLogger(),
      port,
      reconnectMaxMs: 200,
    })
  }

  static async start(): Promise<PrivateRedis> {
    const cluster = await Cluster.create({ name: 'redis' })
    try {
      const server = cluster.component('redis')
      await server.start()
      const redis = new PrivateRedis(cluster, server.port)
      await redis.connection.whenReady({ timeoutMs: PATIENCE_MS })
      return redis
    } catch (error) {
      await cluster.dispose({ failed: true })
      throw error
    }
  }

  /** Forgets all data. */
  async empty(): Promise<void> {
    await this.connection.ask(['FLUSHALL'])
  }

  /** Every key that matches, with its hash or its set, sorted. */
  async dump(pattern = '*'): Promise<Record<string, unknown>> {
    const keys = [...((await this.connection.ask(['KEYS', pattern])) as readonly string[])].sort()
    const values = await Promise.all(
      keys.map(async (key) => {
        if ((await this.connection.ask(['TYPE', key])) === 'set') {
          return [...((await this.connection.ask(['SMEMBERS', key])) as readonly string[])].sort()
        }
        const flat = (await this.connection.ask(['HGETALL', key])) as readonly string[]
        const pairs = flat.flatMap((field, index) => (index % 2 === 0 ? [[field, flat[index + 1]!] as const] : []))
        return Object.fromEntries(pairs)
      }),
    )
    return Object.fromEntries(keys.map((key, index) => [key, values[index]]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.close()
    await this.#cluster.dispose()
  }
}
