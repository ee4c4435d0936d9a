import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'
import { Lab, PATIENCE_MS } from '../../packages/mainstay/src/pool/testing/lab.ts'
import type { RedisConnection } from '../../packages/mainstay/src/store/redis/index.ts'
import { countCommands } from './support/count-commands.ts'
import { usePrivateRedis } from './support/private-redis.ts'

const redis = usePrivateRedis()

/** A pool of one group with so many checked machines, and a count of the commands sent to the server. */
async function countedPool(vms: number) {
  const { connection } = redis()
  const { connection: counting, sent } = countCommands(connection)
  const store = await openRedisPool({
    connection: counting,
    prefix: 'pool:',
    clock: new SystemClock(),
    logger: silentLogger(),
  })
  const lab = new Lab(store, { open: async () => store, [Symbol.asyncDispose]: async () => {} })
  await lab.configure([{ id: 'g', maxTotal: vms, maxPerUser: 4 }])
  for (let left = vms; left > 0; left -= 500) await lab.ready(Math.min(500, left))
  /** How many commands something takes; the server must have run as many scripts. */
  const cost = async (work: () => Promise<unknown>): Promise<{ commands: number; scripts: number }> => {
    const scripts = await scriptsRun(connection)
    const before = sent()
    await work()
    return { commands: sent() - before, scripts: (await scriptsRun(connection)) - scripts }
  }
  return { lab, store, cost }
}

async function scriptsRun(connection: RedisConnection): Promise<number> {
  const stats = String(await connection.ask(['INFO', 'commandstats']))
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

/** What a cycle of a master asks of the store. */
async function cycle(store: PoolStore, now: number, limit: number): Promise<number> {
  const { fence } = await store.lead({ id: 'm', leaseMs: 1000, now })
  let checks = 0
  for (let more = true; more;) {
    const due = await store.due({ now, limit })
    const names = due.vms.filter(({ kinds }) => kinds.includes('check')).map(({ vm }) => vm.name)
    checks += names.length
    if (names.length > 0) {
      await store.startChecks({ checks: names.map((name) => ({ name, nextCheckAt: now + 1e6 })), now, fence })
    }
    more = due.more
  }
  await store.expireRequests({ limit, now, fence })
  await store.serve({ groups: ['g'], now })
  await store.counts({ now })
  await store.requests({ limit })
  await store.nextDue()
  return checks
}

describe('what the pool costs on Redis', { timeout: PATIENCE_MS }, () => {
  test('C1 with 5,000 machines each operation of a client is one command', async () => {
    const { lab, store, cost } = await countedPool(5000)
    const lease = await lab.take({ owner: 'warm-up' })
    await store.heartbeat({ name: lease.vm.name, token: lease.token, now: lab.now })
    await lab.release(lease)
    const one = { commands: 1, scripts: 1 }
    const { vm, token } = await lab.take({ id: 'r' })
    expect(await cost(() => store.heartbeat({ name: vm.name, token, now: lab.now }))).toEqual(one)
    expect(await cost(() => store.release({ name: vm.name, token, now: lab.now }))).toEqual(one)
    expect(await cost(() => lab.acquire({ id: 'clean', owner: 'ann' }))).toEqual(one)
    expect(await cost(() => lab.acquire({ id: 'dirty' }))).toEqual(one)
    const right = { by: { token: 'token of dirty' }, reason: 'broken', now: lab.now }
    expect(await cost(() => store.terminate({ names: [vm.name], ...right }))).toEqual(one)
  })

  test.each([100, 5000])('C2 a cycle over %i machines of which none is due takes at most 20 commands', async (vms) => {
    const { lab, store, cost } = await countedPool(vms)
    await cycle(store, lab.now, 100)
    expect((await cost(() => cycle(store, lab.now, 100))).commands).toBeLessThanOrEqual(20)
  })

  test('C2 a cycle in which 1,000 machines are due takes at most 20 commands and three for each batch', async () => {
    const { lab, store, cost } = await countedPool(1000)
    const due = { count: 0 }
    const { commands } = await cost(async () => void (due.count = await cycle(store, lab.now + 1e6, 100)))
    expect(due.count).toBe(1000)
    expect(commands).toBeLessThanOrEqual(20 + (3 * 1000) / 100)
  })
})
