import { connect } from 'node:net'
import { Connection } from 'rabbitmq-client'
import { describe, expect, test, vi } from 'vitest'
import { Cluster, DiskLimit, skipReason, type ComponentName, type ManagedServer } from '@mainstay/testkit'
import { skipUnlessThere } from './support/component-there.ts'

/** How each component is used, and how a restart is told from a fresh start. */
interface Usage {
  readonly name: ComponentName
  readonly write: (server: ManagedServer) => Promise<unknown>
  readonly read: (server: ManagedServer) => Promise<unknown>
  readonly expected: unknown
}

const usages: readonly Usage[] = [
  {
    name: 'redis',
    write: (server) => server.sql('SET greeting hello'),
    read: (server) => server.sql('GET greeting'),
    expected: [{ value: 'hello' }],
  },
  {
    name: 'postgres',
    write: (server) => server.sql('create table t as select 1 as id, true as kept, null::text as nothing'),
    read: (server) => server.sql('select * from t where id = $1', [1]),
    expected: [{ id: 1, kept: true, nothing: null }],
  },
  {
    name: 'mariadb',
    write: (server) =>
      server.sql(
        "create database test_keep; create table test_keep.t (name text, nothing text) engine=innodb; insert into test_keep.t values ('it''s <kept>', null)",
      ),
    read: (server) => server.sql('select * from test_keep.t where name like ?', ["it's%"]),
    expected: [{ name: "it's <kept>", nothing: null }],
  },
  {
    name: 'rabbitmq',
    write: (server) => publish(server.port, 'a durable message'),
    read: (server) => take(server.port),
    expected: 'a durable message',
  },
]

async function withCluster<T>(work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.create({ name: 'components', strictStop: true })
  let failed = true
  try {
    const result = await work(cluster)
    failed = false
    return result
  } finally {
    await cluster.dispose({ failed })
  }
}

describe('components (testkit.md A11)', { timeout: 180_000 }, () => {
  test.for(usages)(
    'H-69 $name starts, is used, keeps its data over a restart, runs beside another, stops cleanly',
    async ({ name, write, read, expected }, ctx) => {
      await skipUnlessThere(ctx, name)
      await withCluster(async (cluster) => {
        const first = cluster.component(name)
        const second = cluster.component(name, { name: `${name}-2` })
        await cluster.startAll()
        expect(first.port).not.toBe(second.port)
        await write(first)
        expect(await read(first)).toEqual(expected)
        await first.restart()
        expect(await read(first)).toEqual(expected)
        for (const server of [first, second])
          expect(await server.stop()).toMatchObject({ clean: true, escalated: false })
      })
    },
  )

  test('H-7 a server is given its own settings, and a misspelt one fails its start in its own words', async (ctx) => {
    await skipUnlessThere(ctx, 'redis')
    await withCluster(async (cluster) => {
      const config = { appendonly: false, maxclients: 77, 'client-output-buffer-limit': 'pubsub 4mb 2mb 60' }
      const redis = cluster.component('redis', { config })
      const misspelt = cluster.component('redis', { name: 'misspelt', config: { maxcleints: 77 } })
      await redis.start()
      const setting = async (name: string): Promise<unknown> => (await redis.sql(`CONFIG GET ${name}`))[0]?.['value']
      expect(await setting('maxclients')).toEqual(['maxclients', '77'])
      expect(await setting('appendonly')).toEqual(['appendonly', 'no'])
      expect(await setting('client-output-buffer-limit')).toContainEqual(
        expect.stringContaining('pubsub 4194304 2097152 60'),
      )
      await expect(misspelt.start()).rejects.toThrow('maxcleints')
    })
  })

  test('H-69 a stopped broker takes its own epmd with it', async (ctx) => {
    await skipUnlessThere(ctx, 'rabbitmq')
    await withCluster(async (cluster) => {
      const broker = cluster.component('rabbitmq')
      await broker.start()
      const epmd = broker.ports['epmd'] ?? 0
      expect(await accepts(epmd)).toBe(true)
      await broker.stop()
      expect(await accepts(epmd)).toBe(false)
    })
  })

  test('H-70 a missing component is a reason to skip, and a failure when it is required', async () => {
    vi.stubEnv('PATH', '/nowhere')
    vi.stubEnv('MAINSTAY_TESTKIT_REQUIRE', '')
    const reason = await skipReason('redis')
    vi.stubEnv('MAINSTAY_TESTKIT_REQUIRE', 'postgres, redis')
    await expect(skipReason('redis')).rejects.toThrow('component "redis" is required')
    expect(reason).toBe('redis-server not found: apt-get install redis-server')
  })

  test('H-71 a database that is paused behind its proxy does not answer; resumed it does', async (ctx) => {
    await skipUnlessThere(ctx, 'redis')
    await withCluster(async (cluster) => {
      const redis = cluster.component('redis')
      await redis.start()
      const proxy = await cluster.proxy('redis')
      expect(await ping(proxy.port)).toBe('+PONG')
      await redis.pause()
      await expect(ping(proxy.port)).rejects.toThrow('no answer')
      await redis.resume()
      expect(await ping(proxy.port)).toBe('+PONG')
    })
  })

  test('a full disk is survived by nobody’s test but seen by the server', async (ctx) => {
    await skipUnlessThere(ctx, 'redis')
    const unavailable = DiskLimit.unavailable()
    ctx.skip(unavailable !== undefined, unavailable)
    await withCluster(async (cluster) => {
      const redis = cluster.component('redis')
      const disk = await cluster.diskFull(redis.folders.dataDir, { sizeBytes: 4 * 1024 * 1024 })
      await redis.start()
      disk.fill()
      await expect(redis.sql('SAVE')).rejects.toThrow('Redis: ERR')
      disk.free()
      expect(await redis.sql('SAVE')).toEqual([{ value: 'OK' }])
    })
  })
})

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

async function ping(port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.setTimeout(300, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('connect', () => socket.write('PING\r\n'))
    socket.once('data', (chunk) => {
      socket.destroy()
      resolve(chunk.toString().trim())
    })
  })
}

const queue = { queue: 'kept', durable: true }

async function publish(port: number, text: string): Promise<void> {
  const connection = new Connection(`amqp://guest:guest@127.0.0.1:${port}`)
  const publisher = connection.createPublisher({ confirm: true, queues: [queue] })
  await publisher.send({ routingKey: queue.queue, durable: true }, text)
  await publisher.close()
  await connection.close()
}

/** Reads a message and gives it back, so that it can be read again after a restart. */
async function take(port: number): Promise<unknown> {
  const connection = new Connection(`amqp://guest:guest@127.0.0.1:${port}`)
  const channel = await connection.acquire()
  const message = await channel.basicGet(queue.queue)
  if (message !== undefined) channel.basicNack({ deliveryTag: message.deliveryTag, requeue: true })
  await channel.close()
  await connection.close()
  return message?.body
}
