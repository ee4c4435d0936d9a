import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
import { Lab } from '../../packages/mainstay/src/pool/testing/lab.ts'
import { countCommands } from './support/count-commands.ts'
import { usePrivateRedis } from './support/private-redis.ts'

const redis = usePrivateRedis()

async function countedLab(machines: number) {
  const { connection, sent } = countCommands(redis().connection)
  const store = await openRedisPool({ connection, prefix: 'pool:', clock: new SystemClock(), logger: silentLogger() })
  const lab = new Lab(store, { open: async () => store, [Symbol.asyncDispose]: async () => {} })
  await lab.configure([{ id: 'g', maxTotal: 0, maxPerUser: 0 }])
  await lab.ready(machines)
  return { lab, sent }
}

const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe('transitions that are asked for in the same moment', () => {
  test('C1 share one command, and each has its own answer', async () => {
    const { lab, sent } = await countedLab(16)
    const before = sent()
    const leases = await Promise.all(times(16).map((index) => lab.take({ id: `r${index}`, owner: `u${index}` })))
    expect(sent() - before).toBe(1)
    expect(leases.map(({ vm }) => [vm.requestId, vm.boundToUser])).toEqual(
      times(16).map((index) => [`r${index}`, `u${index}`]),
    )
    expect(new Set(leases.map(({ vm }) => vm.name)).size).toBe(16)
    await expect(lab.store.verify()).resolves.toEqual([])
  })

  test('C1 are never more than sixteen in one step, which nobody has to wait for long', async () => {
    const { lab, sent } = await countedLab(33)
    const before = sent()
    await Promise.all(times(33).map((index) => lab.take({ id: `r${index}` })))
    expect(sent() - before).toBe(3)
  })

  test('C3 go by what those before them in the same command did: no limit is exceeded', async () => {
    const { lab } = await countedLab(10)
    await lab.configure([{ id: 'g', maxTotal: 0, maxPerUser: 4 }])
    const outcomes = await Promise.all(times(16).map((index) => lab.acquire({ id: `r${index}` })))
    expect(outcomes.filter(({ outcome }) => outcome === 'granted')).toHaveLength(4)
    await expect(lab.store.verify()).resolves.toEqual([])
  })

  test('are carried out in the order in which they were asked for, also beside other commands', async () => {
    const { lab } = await countedLab(1)
    const { store } = lab
    // A script that Redis does not know yet is sent a second time, and then comes later.
    await store.list({ group: 'g', states: ['in_use'], limit: 9 })
    const acquired = lab.take({ id: 'first' })
    const listed = store.list({ group: 'g', states: ['in_use'], limit: 9 })
    const released = store.release({ name: 'vm-00001', token: 'token of first', now: lab.now })
    const after = store.get('vm-00001')
    await expect(acquired).resolves.toMatchObject({ vm: { name: 'vm-00001' } })
    await expect(listed).resolves.toMatchObject({ vms: [{ requestId: 'first' }] })
    await expect(released).resolves.toMatchObject({ vm: { state: 'ready' } })
    await expect(after).resolves.toMatchObject({ state: 'ready', uses: 1 })
  })

  test('one that is refused or broken off takes nothing from the others', async () => {
    const { lab, sent } = await countedLab(3)
    const { store } = lab
    // Somebody else has written something there that is no index.
    await redis().connection.ask(['SET', 'pool:n:task::broken', 'no index'])
    const before = sent()
    const results = await Promise.allSettled([
      lab.take({ id: 'a', owner: 'u1' }),
      lab.take({ id: 'b', owner: 'u2', taskId: 'broken' }),
      store.heartbeat({ name: 'nobody', token: 't', now: lab.now }),
      lab.take({ id: 'c', owner: 'u3' }),
    ])
    expect(sent() - before).toBe(1)
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({
      reason: { code: 'MS_REDIS_REPLY', message: expect.stringContaining('WRONGTYPE') },
    })
    expect(results[2]).toMatchObject({ reason: { code: 'MS_POOL_VM_NOT_FOUND' } })
  })
})
