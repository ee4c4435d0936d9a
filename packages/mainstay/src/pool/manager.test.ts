import { describe, expect, test } from 'vitest'

import type { AcquireInput } from './acquire-input.ts'
import type { Acquired } from './await-grant.ts'
import { PoolDesk } from './desk.ts'
import { DEFAULT_MASTER_RULES } from './decide/snapshot.ts'
import { groupRules, poolRules } from './options.ts'
import type { VmLease } from './store.ts'
import { labelOptions } from './testing/counts.ts'
import { PoolRig, type RigProcess } from './testing/rig.ts'

const signal = (): AbortSignal => AbortSignal.timeout(60_000)

async function take({ manager }: RigProcess, wish: Partial<AcquireInput> = {}): Promise<VmLease> {
  const acquired = await manager.acquire({ owner: 'u', worker: 'w', ...wish }, { signal: signal() })
  return leaseOf(acquired)
}

function leaseOf(acquired: Acquired): VmLease {
  if (acquired.outcome !== 'granted') throw new Error(`expected a machine, not ${acquired.outcome}`)
  return acquired.leases[0]!
}

const ready = async (process: RigProcess, rig: PoolRig): Promise<number> =>
  (await process.store.counts({ now: rig.clock.now() })).reduce((sum, { states }) => sum + states.ready, 0)

/** A pool with so many ready machines. */
async function filled(count: number, options: ConstructorParameters<typeof PoolRig>[0] = {}) {
  const rig = new PoolRig({ labels: [labelOptions({ label: 'g', minReady: count })], ...options })
  const process = await rig.process()
  await rig.until(`${count} are ready`, async () => (await ready(process, rig)) === count)
  return { rig, process, [Symbol.asyncDispose]: async () => await rig[Symbol.asyncDispose]() }
}

describe('C4 waiting', () => {
  const ONE = [{ id: 'g', maxTotal: 1, dirtyPolicy: 'reset', maxPerUser: 0 } as const]

  test('C4 a waiter is woken by the release itself: it has its machine before the clock moves on', async () => {
    await using pool = await filled(1, { groups: [{ id: 'g', maxTotal: 1, maxPerUser: 0 }] })
    const { rig, process } = pool
    const lease = await take(process, { sandbox: 's' })
    const waiting = process.manager.acquire(
      { owner: 'u', worker: 'second', sandbox: 's', waitMs: 60_000 },
      { signal: signal() },
    )
    await rig.clock.advance(1000)
    const released = rig.clock.now()
    await process.manager.release({ name: lease.vm.name, token: lease.token })
    await rig.clock.advance(0)
    expect(leaseOf(await waiting).vm).toMatchObject({ name: lease.vm.name, worker: 'second' })
    expect(rig.clock.now()).toBe(released)
  })

  test('C4 one owner with 3,000 requests and ten with one each: each of the ten is served within one turnover', async () => {
    const size = 12
    await using pool = await filled(size, {
      groups: [{ id: 'g', maxTotal: size, maxSpawns: 0, maxPerUser: 0, dirtyPolicy: 'reset' }],
    })
    const { rig, process } = pool
    const options = { signal: signal(), untilMs: 0 }
    const ask = async (owner: string, index: number): Promise<void> => {
      await process.manager.acquire({ owner, worker: 'w', requestId: `${owner}-${index}`, waitMs: 3_600_000 }, options)
    }
    for (let index = 0; index < 3000; index += 1) await ask('greedy', index)
    for (let index = 0; index < 10; index += 1) await ask(`small${index}`, 0)
    // Every machine is given back once.
    const { vms } = await process.store.list({ states: ['in_use'], limit: 100 })
    expect(vms.every(({ boundToUser }) => boundToUser === 'greedy')).toBe(true)
    for (const { name, leaseToken } of vms) await process.manager.release({ name, token: leaseToken! })
    const held = async (): Promise<string[]> =>
      (await process.store.list({ states: ['in_use'], limit: 100 })).vms.map(({ boundToUser }) => boundToUser!)
    await rig.until('they are used again', async () => (await held()).length === size)
    expect((await held()).filter((owner) => owner.startsWith('small'))).toHaveLength(10)
  })

  test('C4 a cancelled request never receives a machine', async () => {
    await using pool = await filled(1, { groups: ONE })
    const { rig, process } = pool
    const lease = await take(process)
    const waiting = process.manager.acquire(
      { owner: 'x', worker: 'w', requestId: 'r', waitMs: 60_000 },
      { signal: signal() },
    )
    const refused = waiting.catch((error: unknown) => error)
    await rig.clock.advance(100)
    await process.operator.cancel('r', 'not needed')
    await process.manager.release({ name: lease.vm.name, token: lease.token })
    await rig.clock.advance(60_000)
    expect(await refused).toMatchObject({ code: 'MS_POOL_REQUEST_REFUSED' })
    expect((await process.store.list({ states: ['in_use'], limit: 9 })).vms).toEqual([])
  })

  test('C4 a request survives the process that took it: another one answers for it', async () => {
    await using pool = await filled(1, { groups: ONE })
    const { rig, process } = pool
    const lease = await take(process)
    await process.manager.acquire(
      { owner: 'x', worker: 'w', requestId: 'r', waitMs: 600_000 },
      { signal: signal(), untilMs: 0 },
    )
    process.kill()
    const other = await rig.process()
    const waiting = other.manager.await('r', { signal: signal() })
    await other.manager.release({ name: lease.vm.name, token: lease.token })
    expect(leaseOf(await rig.done(waiting)).vm.requestId).toBe('r')
  })

  test('C4 C5 whoever asks again for what was granted and taken back meanwhile is told so', async () => {
    await using pool = await filled(1, { groups: ONE })
    const { rig, process } = pool
    const held = await take(process)
    const wish = { owner: 'u', worker: 'w', requestId: 'mine', waitMs: 60_000 }
    await process.manager.acquire(wish, { signal: signal(), untilMs: 0 })
    await process.manager.release({ name: held.vm.name, token: held.token })
    await rig.until('it is granted', async () => (await process.store.leases('mine')).length === 1)
    await rig.until('nobody shows life', async () => (await process.store.leases('mine')).length === 0)
    const told = 'The request mine was granted, and its lease has ended since'
    await expect(process.manager.acquire(wish, { signal: signal() })).rejects.toThrow(told)
    await expect(process.manager.await('mine', { signal: signal() })).rejects.toThrow(told)
  })

  test('C4 whoever has gone before anything was granted is granted nothing', async () => {
    await using pool = await filled(1, { groups: ONE })
    const { process } = pool
    const gone = AbortSignal.abort(new Error('gone'))
    const wish = { owner: 'u', worker: 'w', requestId: 'r', waitMs: 60_000 }
    await expect(process.manager.acquire(wish, { signal: gone })).rejects.toThrow('gone')
    expect([await process.store.leases('r'), await process.store.request('r')]).toEqual([[], null])
  })

  test('C4 a gang gets all or none', async () => {
    await using pool = await filled(2, { groups: [{ id: 'g', maxTotal: 3, maxPerUser: 0 }] })
    const { rig, process } = pool
    const gang = process.manager.acquire({ owner: 'u', worker: 'w', count: 3, waitMs: 60_000 }, { signal: signal() })
    expect((await process.store.list({ states: ['in_use'], limit: 9 })).vms, 'none while one is missing').toEqual([])
    const acquired = await rig.done(gang)
    expect(acquired.outcome === 'granted' && acquired.leases.length).toBe(3)
  })
})

describe('C5 leases', () => {
  const GROUP = { id: 'g', leaseMs: 60_000, graceMs: 30_000 }

  test('C5 kill -9 of a client: its machine is taken back within lease, grace and one cycle', async () => {
    await using pool = await filled(1, { groups: [GROUP], master: { cycleMs: 10_000 } })
    const { rig, process } = pool
    const { vm } = await take(process)
    await rig.clock.advance(90_000)
    expect((await process.store.get(vm.name))?.state, 'not before').toBe('in_use')
    await rig.clock.advance(10_000)
    expect((await process.store.get(vm.name))?.state).not.toBe('in_use')
    expect(process.changes.find(({ kind, vm: name }) => kind === 'vm.terminating' && name === vm.name)).toMatchObject({
      reason: 'its lease expired',
      worker: 'w',
    })
  })

  test('C5 with signs of life it is kept for as long as one likes', async () => {
    await using pool = await filled(1, { groups: [GROUP] })
    const { rig, process } = pool
    const { vm, token } = await take(process)
    for (let beat = 0; beat < 100; beat += 1) {
      await rig.clock.advance(50_000)
      await process.manager.heartbeat({ name: vm.name, token })
    }
    expect((await process.store.get(vm.name))?.state).toBe('in_use')
  })

  test('C5 an old token cannot release the next user’s machine', async () => {
    await using pool = await filled(1, { groups: [{ ...GROUP, maxTotal: 1, dirtyPolicy: 'reset' }] })
    const { rig, process } = pool
    const old = await take(process)
    await process.manager.release({ name: old.vm.name, token: old.token })
    const next = await rig.done(take(process, { owner: 'next', waitMs: 60_000 }))
    expect(next.vm.name).toBe(old.vm.name)
    await expect(process.manager.release({ name: old.vm.name, token: old.token })).rejects.toMatchObject({
      code: 'MS_POOL_LEASE_LOST',
    })
    expect((await process.store.get(next.vm.name))?.boundToUser).toBe('next')
  })

  test('C5 with reattach the machine waits for its task', async () => {
    await using pool = await filled(1, { groups: [{ ...GROUP, reattachMs: 3_600_000 }] })
    const { rig, process } = pool
    const { vm } = await take(process, { taskId: 't', reattach: true })
    await rig.clock.advance(1_800_000)
    const again = await process.manager.reattach({ taskId: 't', owner: 'u', worker: 'second' })
    expect(again?.vm).toMatchObject({ name: vm.name, state: 'in_use', worker: 'second' })
    await process.manager.release({ name: vm.name, token: again!.token })
  })
})

describe('C6 nothing is lost', () => {
  test('C6 the master dies between the making of a machine and its record: the next one finds it, once', async () => {
    await using rig = new PoolRig({
      labels: [labelOptions({ label: 'g', minReady: 2 })],
      groups: [{ id: 'g', maxSpawns: 0 }],
      cloud: { latency: { buildMs: 5000, spread: 0 } },
    })
    const first = await rig.process()
    await rig.until('two are being built', () => rig.cloud.machines().length === 2)
    first.kill()
    await rig.clock.advance(6000)
    expect(
      rig.cloud.machines().every(({ status }) => status === 'running'),
      'made, and nobody knows',
    ).toBe(true)
    const second = await rig.process()
    await rig.until('both are ready', async () => (await ready(second, rig)) === 2)
    expect(rig.cloud.machines()).toHaveLength(2)
    const names = (await second.store.list({ limit: 9 })).vms.map(({ name }) => name)
    expect(
      rig.cloud
        .machines()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(names)
  })

  test('C6 the worker of a machine that is ended while in use is told', async () => {
    await using pool = await filled(1)
    const { rig, process } = pool
    const { vm } = await take(process)
    await process.operator.delete([vm.name], { force: true, reason: 'mine' })
    await rig.clock.advance(0)
    const told = process.changes.find(({ kind }) => kind === 'vm.terminating')
    expect(told).toMatchObject({ vm: vm.name, ip: vm.ip, worker: 'w', from: 'in_use', reason: 'mine' })
  })
})

describe('C12 hold', () => {
  test('C12 a held machine is neither reused nor collected before its time, and is afterwards', async () => {
    await using pool = await filled(1, { groups: [{ id: 'g', maxTotal: 1, dirtyTimeoutMs: 5000 }] })
    const { rig, process } = pool
    const { vm, token } = await take(process)
    await process.operator.hold({ name: vm.name, forMs: 3_600_000, reason: 'look', by: 'me' })
    await process.manager.release({ name: vm.name, token })
    await rig.clock.advance(3_500_000)
    expect((await process.store.get(vm.name))?.state).toBe('held')
    await expect(take(process)).rejects.toMatchObject({ code: 'MS_POOL_UNAVAILABLE' })
    await rig.clock.advance(200_000)
    expect(await process.store.get(vm.name), 'idle for too long by then, so it went').toBeNull()
    await rig.until('another is ready', async () => (await ready(process, rig)) === 1)
  })
})

describe('C14 plan', () => {
  test('C14 what plan says is what the next cycle does, and planning changes nothing', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', maxSpawns: 0 }],
      labels: [labelOptions({ label: 'g', minReady: 4 })],
      // The master looks only when it is told to.
      master: { cycleMs: 3_600_000, leadership: { leaseMs: 3_600_000, renewMs: 1_800_000 } },
    })
    rig.plan.labels = []
    const process = await rig.process()
    await rig.clock.advance(1000)
    rig.plan.labels = [labelOptions({ label: 'g', minReady: 4 })]
    const desk = new PoolDesk({
      store: process.store,
      clock: rig.clock,
      labels: () => rig.plan.labels,
      rules: () => DEFAULT_MASTER_RULES,
      whyNot: () => null,
      providers: () => [],
      master: () => null,
      leader: () => null,
      forecast: () => null,
    })
    const { decisions } = await desk.plan()
    expect(await desk.plan(), 'the same when asked again').toMatchObject({ decisions })
    expect(decisions).toMatchObject([
      { do: 'spawn', group: 'g', count: 4, because: 'g: min_ready 4; it has 0 clean and 0 arriving' },
    ])
    expect(process.changes).toEqual([])
    await process.master.cycle.run(process.master.leadership.term!)
    await rig.clock.advance(0)
    expect(process.changes.filter(({ kind }) => kind === 'vm.requested')).toHaveLength(4)
  })
})

describe('C20 C8 sizes that change', () => {
  test('C20 above a lowered maximum idle machines go first, and those in use with their use', async () => {
    await using pool = await filled(4, { groups: [{ id: 'g', maxTotal: 6, maxSpawns: 0, maxPerUser: 0 }] })
    const { rig, process } = pool
    const leases = await Promise.all([take(process), take(process), take(process)])
    await rig.until('full', async () => (await process.store.list({ limit: 99 })).vms.length === 6)
    rig.plan.groups = [{ id: 'g', maxTotal: 2, maxPerUser: 0 }]
    rig.plan.labels = [labelOptions({ label: 'g', minReady: 1 })]
    const configuration = { pool: poolRules(), groups: [groupRules({ id: 'g', maxTotal: 2, maxPerUser: 0 })] }
    await process.store.configure(configuration, { fence: null })
    process.master.poke()
    await rig.until('the idle ones are gone', async () => (await process.store.list({ limit: 99 })).vms.length === 3)
    const left = (await process.store.list({ limit: 99 })).vms
    expect(left.every(({ state }) => state === 'in_use')).toBe(true)
    expect(
      left.filter(({ drain }) => drain === 'terminate'),
      'one is too many',
    ).toHaveLength(1)
    for (const { vm, token } of leases) await process.manager.release({ name: vm.name, token })
    await rig.until('two are left', async () => (await process.store.list({ limit: 99 })).vms.length === 2)
  })

  test('C8 idle machines of others make room when the group is full, after their time', async () => {
    await using pool = await filled(2, {
      groups: [{ id: 'g', maxTotal: 2, dirtyTimeoutMs: 3_600_000, reuseOpportunityMs: 20_000 }],
    })
    const { rig, process } = pool
    for (const owner of ['a', 'b']) {
      const { vm, token } = await take(process, { owner })
      await process.manager.release({ name: vm.name, token })
    }
    const asked = rig.clock.now()
    const { vm } = await rig.done(take(process, { owner: 'c', waitMs: 120_000 }))
    expect(vm.boundToUser).toBe('c')
    expect(rig.clock.now() - asked).toBeGreaterThanOrEqual(20_000)
  })
})
