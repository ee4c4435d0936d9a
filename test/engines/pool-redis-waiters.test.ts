import { expect, test } from 'vitest'

import { ManualClock, SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { TaskGroup } from '../../packages/mainstay/src/core/task-group.ts'
import { nextTurn } from '../../packages/mainstay/src/core/turn.ts'
import { ChangeWatch } from '../../packages/mainstay/src/pool/change-watch.ts'
import { PoolManager } from '../../packages/mainstay/src/pool/manager.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
import { Lab } from '../../packages/mainstay/src/pool/testing/lab.ts'
import { Waiters } from '../../packages/mainstay/src/pool/waiters.ts'
import { countCommands } from './support/count-commands.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { connectTo, redisPool } from './support/redis-pool.ts'

const redis = usePrivateRedis()

/** How many turns of the event loop somebody who asks over and over again would surely have used. */
const MANY_TURNS = 2000

/**
 * What a process does for those who wait in it, on a clock that stands still: no timer ever wakes anybody, so whoever is
 * woken was woken by an event.
 */
async function waitingProcess() {
  const { connection, sent } = countCommands(await connectTo(redis().port))
  const store = await openRedisPool({ connection, prefix: 'pool:', clock: new SystemClock(), logger: silentLogger() })
  const clock = new ManualClock()
  const deps = { store, clock, ids: new SystemIds(), logger: silentLogger() }
  const watch = new ChangeWatch(deps)
  const tasks = new TaskGroup(deps)
  const manager = new PoolManager({ ...deps, waiters: new Waiters(watch) })
  watch.start(tasks)
  return {
    manager,
    clock,
    sent,
    [Symbol.asyncDispose]: async () => {
      await tasks.stop({ timeoutMs: 1000 })
      await store[Symbol.asyncDispose]()
      await connection.close()
    },
  }
}

test('C4 a waiter in one process is woken by a release in another one: by an event, and nobody asks in between', async () => {
  await using waiting = await waitingProcess()
  await using store = await redisPool(redis().port, 'pool:')
  const lab = new Lab(store, { open: async () => store, [Symbol.asyncDispose]: async () => {} })
  lab.now = waiting.clock.now()
  await lab.configure([{ id: 'g', maxPerUser: 0 }])
  await lab.ready(1)
  const held = await lab.take({ owner: 'first' })

  const wish = { owner: 'first', sandbox: 's', worker: 'w', requestId: 'second', waitMs: 3_600_000 }
  const acquired = waiting.manager.acquire(wish, { signal: AbortSignal.timeout(60_000) })
  await expect.poll(() => waiting.clock.pending, { timeout: 30_000 }).toBe(1)
  const asleep = waiting.sent()
  for (let turn = 0; turn < MANY_TURNS; turn += 1) await nextTurn()
  expect(waiting.sent(), 'whoever waits asks nothing').toBe(asleep)

  await lab.release(held)
  expect(await acquired).toMatchObject({ outcome: 'granted', requestId: 'second', leases: [{ vm: { worker: 'w' } }] })
  expect(waiting.sent() - asleep, 'one look when it was woken').toBeLessThanOrEqual(2)
})

test('C4 of many waiters only the one that is served asks', async () => {
  await using waiting = await waitingProcess()
  await using store = await redisPool(redis().port, 'pool:')
  const lab = new Lab(store, { open: async () => store, [Symbol.asyncDispose]: async () => {} })
  lab.now = waiting.clock.now()
  await lab.configure([{ id: 'g', maxPerUser: 0 }])
  await lab.ready(1)
  const held = await lab.take({ owner: 'u0' })
  const stopping = new AbortController()
  const all = Array.from({ length: 50 }, async (_, index) => {
    const wish = { owner: 'u0', sandbox: 's', worker: `w${index}`, waitMs: 3_600_000 }
    return await waiting.manager.acquire(wish, { signal: stopping.signal })
  })
  const settled = Promise.allSettled(all)
  await expect.poll(() => waiting.clock.pending, { timeout: 30_000 }).toBe(50)
  const asleep = waiting.sent()
  await lab.release(held)
  await Promise.race(all)
  for (let turn = 0; turn < MANY_TURNS; turn += 1) await nextTurn()
  expect(waiting.sent() - asleep).toBeLessThanOrEqual(2)
  stopping.abort()
  expect((await settled).filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})
