import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { DUE_BATCH } from '../../packages/mainstay/src/pool/read-snapshot.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'
import { labelOptions } from '../../packages/mainstay/src/pool/testing/counts.ts'
import { PoolRig } from '../../packages/mainstay/src/pool/testing/rig.ts'
import { countCommands } from './support/count-commands.ts'
import { usePrivateRedis } from './support/private-redis.ts'

const redis = usePrivateRedis()

/** What the specification gives a cycle, however many machines there are. */
const FIXED_COMMANDS = 20

/** What a cycle cost: commands sent, and machines whose record Redis read for it. */
interface Cost {
  readonly commands: number
  readonly recordsRead: number
}

/** The master of the program on Redis with so many machines that are ready; checks take for ever. */
async function countedMaster(vms: number) {
  const { connection: bare } = redis()
  const { connection, sent } = countCommands(bare)
  const openStore = async (): Promise<PoolStore> =>
    await openRedisPool({ connection, prefix: 'pool:', clock: new SystemClock(), logger: silentLogger() })
  const rig = new PoolRig({
    openStore,
    groups: [{ id: 'g', maxTotal: 0, checkPeriodMs: 3_600_000 }],
    labels: [labelOptions({ label: 'g', minReady: vms })],
    check: async (_vm, { signal }) => {
      await rig.clock.sleep(1e9, { signal })
      return { passed: true, reason: '' }
    },
    // The master looks only when it is told to.
    master: { cycleMs: 1e9, minGapMs: 1e9, leadership: { leaseMs: 1e9, renewMs: 1e9 } },
  })
  const store = await rig.open()
  const process = await rig.process()
  // Its own first cycle is over; there is no other, because the clock stands still.
  await expect.poll(() => process.cycles(), { timeout: 30_000 }).toBe(1)
  const now = rig.clock.now()
  for (let from = 0; from < vms; from += 500) {
    const names = Array.from({ length: Math.min(500, vms - from) }, (_, index) => `vm-${from + index}`)
    await Promise.all(names.map((name) => store.addVm({ name, group: 'g', ip: '192.0.2.1', now, fence: null })))
    const checks = names.map((name) => ({ name, nextCheckAt: now + 3_600_000 }))
    await store.startChecks({ checks, now, fence: null })
    await Promise.all(names.map((name) => store.checkPassed({ name, startedAt: now, now: now + 1 })))
  }
  await rig.clock.advance(10)
  const cycle = async (): Promise<Cost> => {
    const [before, read] = [sent(), await recordsRead(bare)]
    await process.master.cycle.run(process.master.leadership.term!)
    return { commands: sent() - before, recordsRead: (await recordsRead(bare)) - read }
  }
  /** Makes so many machines due for a check, and runs the cycle that begins these. */
  const cycleWithDue = async (due: number): Promise<Cost> => {
    const { vms: ready } = await store.list({ states: ['ready'], limit: due })
    await store.recheck({ names: ready.map(({ name }) => name), now: rig.clock.now() })
    const cost = await cycle()
    const { vms: checked } = await store.list({ states: ['check_health'], limit: vms })
    expect(checked, 'all that was due was begun').toHaveLength(due)
    return cost
  }
  return { cycle, cycleWithDue, [Symbol.asyncDispose]: async () => await rig[Symbol.asyncDispose]() }
}

/** How often Redis has read the whole record of a machine. */
async function recordsRead(connection: { ask(command: string[]): Promise<unknown> }): Promise<number> {
  const stats = String(await connection.ask(['INFO', 'commandstats']))
  return Number(/cmdstat_hgetall:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

describe('what the cycle of the master costs on Redis', { timeout: 240_000 }, () => {
  test('C2 with nothing due: at most 20 commands, as many at 5,000 machines as at 100, and no record is read', async () => {
    const costs: Cost[] = []
    for (const vms of [100, 5000]) {
      await redis().empty()
      await using master = await countedMaster(vms)
      await master.cycle()
      costs.push(await master.cycle())
    }
    const [few, many] = costs
    expect(many).toEqual(few)
    expect(many!.commands).toBeGreaterThan(1)
    expect(many!.commands).toBeLessThanOrEqual(FIXED_COMMANDS)
    // That of the rules alone.
    expect(many!.recordsRead).toBeLessThanOrEqual(3)
  })

  test.each([100, 1000, 2500])(
    'C2 with %i of 5,000 machines due: at most 20 commands and three for each batch',
    async (due) => {
      await using master = await countedMaster(5000)
      await master.cycle()
      const { commands, recordsRead: read } = await master.cycleWithDue(due)
      expect(commands).toBeLessThanOrEqual(FIXED_COMMANDS + (3 * due) / DUE_BATCH)
      // To see what is due, and to begin it: nothing is read of the others.
      expect(read).toBeLessThanOrEqual(2 * due + 3)
      expect(read).toBeGreaterThanOrEqual(due)
    },
  )

  test('C2 with the same number due a cycle costs the same among 5,000 machines as among 200', async () => {
    const costs: Cost[] = []
    for (const vms of [200, 5000]) {
      await redis().empty()
      await using master = await countedMaster(vms)
      await master.cycle()
      costs.push(await master.cycleWithDue(100))
    }
    expect(costs[1]).toEqual(costs[0])
  })
})
