import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import type { PoolChange } from '../../packages/mainstay/src/pool/change.ts'
import { consumeChanges, type ConsumeOptions } from '../../packages/mainstay/src/pool/redis/change-consumer.ts'
import { Lab } from '../../packages/mainstay/src/pool/testing/lab.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { connectTo, redisPool } from './support/redis-pool.ts'

const redis = usePrivateRedis()
const PREFIX = 'pool:'
const PATIENCE = { timeout: 20_000 }

async function lab(): Promise<Lab & AsyncDisposable> {
  const store = await redisPool(redis().port, PREFIX)
  const made = new Lab(store, { open: async () => store, [Symbol.asyncDispose]: async () => {} })
  await made.configure([{ id: 'g', maxTotal: 0 }])
  return Object.assign(made, { [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose]() })
}

/** A consumer that runs until it is stopped. */
function consumer(handle: (change: PoolChange) => Promise<void>, options: Partial<ConsumeOptions> = {}) {
  const stopping = new AbortController()
  const running = consumeChanges({
    connection: redis().connection,
    clock: new SystemClock(),
    logger: silentLogger(),
    prefix: PREFIX,
    group: 'relay',
    consumer: 'one',
    signal: stopping.signal,
    handle,
    reclaimMs: 50,
    ...options,
  })
  return {
    stop: async () => {
      stopping.abort(new Error('stopped by the test'))
      await running
    },
  }
}

const added = (seen: readonly PoolChange[]): (string | null)[] => seen.map(({ vm }) => vm)

describe('the bus of the pool', () => {
  test('C6 consumers of a group share the changes, each change once, from the first one that is kept', async () => {
    await using pool = await lab()
    await pool.add('a')
    const seen: [string, PoolChange][] = []
    const one = consumer(async (change) => void seen.push(['one', change]))
    await expect.poll(() => seen.length, PATIENCE).toBe(1)
    const two = consumer(async (change) => void seen.push(['two', change]), { consumer: 'two' })
    for (let index = 0; index < 30; index += 1) await pool.add(`vm-${index}`)
    await expect.poll(() => seen.length, PATIENCE).toBe(31)
    await Promise.all([one.stop(), two.stop()])
    expect(new Set(seen.map(([, change]) => change.id)).size).toBe(31)
    expect(seen[0]![1]).toMatchObject({ kind: 'vm.added', vm: 'a', group: 'g', to: 'got_ip' })
  })

  test('C6 what a consumer had not acknowledged is delivered again after its restart, or to another one', async () => {
    await using pool = await lab()
    await pool.add('a')
    const started = Promise.withResolvers<void>()
    const dying = consumer(async () => {
      started.resolve()
      throw new Error('dies while handling')
    })
    await started.promise
    await dying.stop()
    const seen: PoolChange[] = []
    const again = consumer(async (change) => void seen.push(change), { reclaimMs: 3_600_000 })
    await expect.poll(() => added(seen), PATIENCE).toEqual(['a'])
    await again.stop()

    await pool.add('b')
    const never = Promise.withResolvers<void>()
    const lost = consumer(async () => await never.promise, { consumer: 'lost', reclaimMs: 3_600_000 })
    const pending = async () => await redis().connection.ask(['XPENDING', `${PREFIX}n:changes`, 'relay'])
    await expect.poll(async () => ((await pending()) as readonly unknown[])[0], PATIENCE).toBe(1)
    const other = consumer(async (change) => void seen.push(change), { consumer: 'other' })
    await expect.poll(() => added(seen), PATIENCE).toEqual(['a', 'b'])
    await other.stop()
    never.reject(new Error('too late'))
    await lost.stop()
  })

  test('C6 a change that cannot be handled is moved aside after five attempts and holds nothing up', async () => {
    await using pool = await lab()
    await pool.add('poison')
    await pool.add('good')
    const attempts: Record<string, number> = {}
    const handling = consumer(async ({ vm }) => {
      attempts[vm!] = (attempts[vm!] ?? 0) + 1
      if (vm === 'poison') throw new Error('I cannot take this')
    })
    const aside = async () => await redis().connection.ask(['XLEN', `${PREFIX}n:changes:poison`])
    await expect.poll(aside, PATIENCE).toBe(1)
    await handling.stop()
    expect(attempts).toEqual({ poison: 5, good: 1 })
    const [entry] = (await redis().connection.ask(['XRANGE', `${PREFIX}n:changes:poison`, '-', '+'])) as [
      [string, string[]],
    ]
    expect(entry[1].join(' ')).toContain('I cannot take this')
    await expect(redis().connection.ask(['XPENDING', `${PREFIX}n:changes`, 'relay'])).resolves.toEqual([
      0,
      null,
      null,
      null,
    ])
  })

  test('C6 a dropped connection loses no change, neither for consumers nor for those who watch', async () => {
    await using pool = await lab()
    const consumed: PoolChange[] = []
    const watched: (string | null)[] = []
    const handling = consumer(async (change) => void consumed.push(change))
    const stopping = new AbortController()
    const watching = (async () => {
      for await (const news of pool.store.changes({ signal: stopping.signal })) {
        watched.push(news.kind === 'gap' ? 'gap' : news.change.vm)
      }
    })()
    await pool.add('a')
    await expect.poll(() => [added(consumed), watched], PATIENCE).toEqual([['a'], ['a']])
    await using admin = await connectTo(redis().port)
    const own = await admin.ask(['CLIENT', 'ID'])
    const clients = String(await admin.ask(['CLIENT', 'LIST']))
      .trim()
      .split('\n')
    for (const client of clients) {
      const [, id] = /^id=(\d+) /.exec(client)!
      if (id !== String(own)) await admin.ask(['CLIENT', 'KILL', 'ID', id!])
    }
    await using other = await redisPool(redis().port, PREFIX)
    for (const name of ['b', 'c']) await other.addVm({ name, group: 'g', ip: name, now: pool.now, fence: null })
    await expect
      .poll(() => [added(consumed), watched], PATIENCE)
      .toEqual([
        ['a', 'b', 'c'],
        ['a', 'b', 'c'],
      ])
    await handling.stop()
    stopping.abort()
    await watching
  })

  test('C6 the worker of a machine that is ended in use is told on the channel of its address', async () => {
    await using pool = await lab()
    const [vm] = (await pool.ready(1)) as [string]
    const lease = await pool.take()
    await using listener = await connectTo(redis().port)
    const heard: string[] = []
    await listener.hear(`${PREFIX}interrupt_build:pubsub::${lease.vm.ip}`, (message) => void heard.push(message))
    await pool.store.terminate({
      names: [vm],
      by: { operator: true, force: true },
      reason: 'broken',
      now: pool.now,
    })
    await expect.poll(() => heard, PATIENCE).toEqual(['vm died'])
  })
})
