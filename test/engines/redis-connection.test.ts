import { createServer } from 'node:net'
import { once } from 'node:events'

import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { describe, expect, test, type TestContext } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { withDeadline } from '../../packages/mainstay/src/core/deadline.ts'
import { ShutdownError } from '../../packages/mainstay/src/core/errors.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import {
  RedisReplyError,
  RedisUnavailableError,
  openRedis,
  type RedisConnection,
  type RedisOptions,
} from '../../packages/mainstay/src/store/redis/index.ts'
import { need } from '../support/need.ts'

const clock = new SystemClock()
const PATIENCE_MS = 30_000

function connect(options: Partial<RedisOptions>): RedisConnection {
  return openRedis({ clock, random: new SystemRandom(), logger: silentLogger(), reconnectMaxMs: 200, ...options })
}

async function withRedis(ctx: TestContext, work: (server: ManagedServer, cluster: Cluster) => Promise<void>) {
  need(ctx, { program: 'redis-server', package: 'redis-server' })
  await using cluster = await Cluster.create({ name: 'redis-connection' })
  const server = cluster.component('redis')
  await server.start()
  await work(server, cluster)
}

/** Waits for the next gain or loss of the connection. */
async function change(redis: RedisConnection, wanted: boolean): Promise<void> {
  const changed = Promise.withResolvers<void>()
  using _listening = redis.onChange((ready) => ready === wanted && changed.resolve())
  if (redis.ready === wanted) return
  await withDeadline({ clock, what: `Waiting for ${wanted}`, timeoutMs: PATIENCE_MS }, () => changed.promise)
}

describe('a connection to Redis', () => {
  test('sends commands and scripts in order, also from a URL with a database', async (ctx) => {
    await withRedis(ctx, async ({ port }) => {
      await using redis = connect({ url: `redis://127.0.0.1:${port}/3`, name: 'mine' })
      await redis.whenReady({ timeoutMs: PATIENCE_MS })
      const script = { name: 'add.lua', source: 'return redis.call("incrby", KEYS[1], ARGV[1])', sha1: 'f'.repeat(40) }
      const answers = await Promise.all([
        redis.ask(['SET', 'a', '1']),
        redis.runScript(script, ['a'], ['41']),
        redis.ask(['CLIENT', 'GETNAME']),
        redis.ask(['GET', 'no such key']),
        redis.ask(['MGET', 'a', 'b']),
      ])
      expect(answers).toEqual(['OK', 42, 'mine', null, [expect.any(String), null]])
      expect(await redis.ask(['CLIENT', 'INFO'])).toContain(' db=3 ')
    })
  })

  test('R8 that is lost fails at once, says why, and is made again for as long as it takes', async (ctx) => {
    await withRedis(ctx, async (server) => {
      await using redis = connect({ port: server.port })
      await redis.whenReady({ timeoutMs: PATIENCE_MS })
      const running = redis.ask(['BLPOP', 'nothing', '0'])
      const lost = change(redis, false)
      await Promise.all([expect(running).rejects.toThrow(RedisUnavailableError), lost, server.kill()])
      for (let attempt = 0; attempt < 3; attempt += 1) {
        await expect(redis.ask(['PING'])).rejects.toThrow(/cannot be reached .* see that it runs/)
        await expect(redis.whenReady({ timeoutMs: 50 })).rejects.toThrow(RedisUnavailableError)
      }
      await server.start()
      await change(redis, true)
      await expect(redis.ask(['PING'])).resolves.toBe('PONG')
    })
  })

  test('to a server that hangs is given up after the time that an answer may take, and made again', async (ctx) => {
    await withRedis(ctx, async (server) => {
      await using redis = connect({ port: server.port, commandTimeoutMs: 300, connectTimeoutMs: 300 })
      await redis.whenReady({ timeoutMs: PATIENCE_MS })
      await server.pause()
      await expect(redis.ask(['PING'])).rejects.toThrow(/took longer than 300 ms/)
      expect(redis.ready).toBe(false)
      await server.resume()
      await change(redis, true)
      await expect(redis.ask(['PING'])).resolves.toBe('PONG')
    })
  })

  test('tells an error of the caller from trouble of the server', async (ctx) => {
    await withRedis(ctx, async ({ port }) => {
      await using redis = connect({ port })
      await redis.whenReady({ timeoutMs: PATIENCE_MS })
      await expect(redis.ask(['NOSUCH'])).rejects.toThrow(RedisReplyError)
      await redis.ask(['CONFIG', 'SET', 'maxmemory', '1'])
      await expect(redis.ask(['SET', 'a', 'b'])).rejects.toThrow(/refused SET \(OOM .* see to the memory/)
      const script = { name: 's.lua', source: 'return redis.call("set", "a", "b")', sha1: '0'.repeat(40) }
      await expect(redis.runScript(script, [], [])).rejects.toThrow(RedisUnavailableError)
    })
  })

  test('with a wrong password says so and shows no password', async (ctx) => {
    await withRedis(ctx, async (server) => {
      await server.sql('CONFIG SET requirepass geheim')
      await using redis = connect({ url: `redis://:falsch@127.0.0.1:${server.port}` })
      const waiting = redis.whenReady({ timeoutMs: 500 })
      await expect(waiting).rejects.toThrow(RedisUnavailableError)
      const error: unknown = await redis.ask(['PING']).catch((thrown: unknown) => thrown)
      expect(String(error)).toMatch(/WRONGPASS/)
      expect(String(error)).not.toContain('falsch')
      await using right = connect({ url: `redis://:geheim@127.0.0.1:${server.port}` })
      await right.whenReady({ timeoutMs: PATIENCE_MS })
    })
  })

  test('is closed at once, whatever it waits for, and leaves nothing behind', async (ctx) => {
    await withRedis(ctx, async ({ port }) => {
      const redis = connect({ port })
      await redis.whenReady({ timeoutMs: PATIENCE_MS })
      const blocked = redis.ask(['BLPOP', 'nothing', '0'])
      await Promise.all([expect(blocked).rejects.toThrow(ShutdownError), redis.close()])
      await expect(redis.ask(['PING'])).rejects.toThrow(ShutdownError)
      await redis.close()
    })
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const greeting = connect({ port })
    await once(silent, 'connection')
    await greeting.close()
    await expect(greeting.whenReady({ timeoutMs: 1000 })).rejects.toThrow(ShutdownError)
    silent.close()
  })
})
