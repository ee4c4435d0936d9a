import { describe, expect, test } from 'vitest'

import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
import { labelOptions } from '../../packages/mainstay/src/pool/testing/counts.ts'
import { PoolRig } from '../../packages/mainstay/src/pool/testing/rig.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'
import type { RedisConnection } from '../../packages/mainstay/src/store/redis/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'

const redis = usePrivateRedis()

/** The master of the program on Redis, with a count of the commands that its cycle sends. */
async function countedMaster(vms: number) {
  const counted = { sent: 0 }
  const connection = new Proxy(redis().connection, {
    get: (target: RedisConnection, member) => {
      if (member === 'ask' || member === 'runScript') counted.sent += 1
      const value: unknown = Reflect.get(target, member)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const openStore = async (): Promise<PoolStore> =>
    await openRedisPool({ connection, prefix: 'pool:', clock: new SystemClock(), logger: silentLogger() })
  const rig = new PoolRig({
    openStore,
    groups: [{ id: 'g', maxTotal: 0, checkPeriodMs: 3_600_000 }],
    labels: [labelOptions({ label: 'g', minReady: vms })],
    // The master looks only when it is told to.
    master: { cycleMs: 1e9, minGapMs: 1e9, leadership: { leaseMs: 1e9, renewMs: 1e9 } },
  })
  const store = await rig.open()
  const process = await rig.process()
  await expect.poll(() => process.master.leadership.term !== null, { timeout: 30_000 }).toBe(true)
  const now = rig.clock.now()
  for (let from = 0; from < vms; from += 500) {
    const names = Array.from({ length: Math.min(500, vms - from) }, (_, index) => `vm-${from + index}`)
    await Promise.all(names.map((name) => store.addVm({ name, group: 'g', ip: '192.0.2.1', now, fence: null })))
    const checks = names.map((name) => ({ name, nextCheckAt: now + 3_600_000 }))
    await store.startChecks({ checks, now, fence: null })
    await Promise.all(names.map((name) => store.checkPassed({ name, startedAt: now, now: now + 1 })))
  }
  await rig.clock.advance(10)
  /** How many commands one cycle sends. */
  const cycle = async (): Promise<number> => {
    const before = counted.sent
    await process.master.cycle.run(process.master.leadership.term!)
    return counted.sent - before
  }
  return { rig, store, cycle, [Symbol.asyncDispose]: async () => await rig[Symbol.asyncDispose]() }
}

describe('what the cycle of the master costs on Redis', { timeout: 120_000 }, () => {
  test.each([100, 2000])('C2 with nothing due and %i machines: at most 20 commands', async (vms) => {
    await using master = await countedMaster(vms)
    await master.cycle()
    const commands = await master.cycle()
    expect(commands).toBeGreaterThan(1)
    expect(commands).toBeLessThanOrEqual(20)
  })
})
