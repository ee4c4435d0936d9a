import { describe, expect, test } from 'vitest'

import { labelOptions } from './testing/counts.ts'
import { PoolRig, type RigProcess } from './testing/rig.ts'

const DAY_MS = 86_400_000

async function count(process: RigProcess, rig: PoolRig, state: 'ready' | 'in_use' | 'terminating'): Promise<number> {
  const counts = await process.store.counts({ now: rig.clock.now() })
  return counts.reduce((sum, { states }) => sum + states[state], 0)
}

const kinds = (process: RigProcess, kind: string): number =>
  process.changes.filter((change) => change.kind === kind).length

describe('C8 the size of the pool', () => {
  test('C8 keeps min_ready beyond those in use, and goes back to it when they are given back', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', maxSpawns: 0, dirtyPolicy: 'discard' }],
      labels: [labelOptions({ label: 'g', minReady: 3, scaleDownDelayMs: 60_000 })],
    })
    const process = await rig.process()
    await rig.until('three are ready', async () => (await count(process, rig, 'ready')) === 3)
    const acquired = await process.manager.acquire(
      { owner: 'u', worker: 'w', count: 2 },
      { signal: AbortSignal.timeout(9999) },
    )
    expect(acquired.outcome).toBe('granted')
    await rig.until('three are ready again', async () => (await count(process, rig, 'ready')) === 3)
    expect(await count(process, rig, 'in_use')).toBe(2)
    expect(kinds(process, 'vm.requested')).toBe(5)
    if (acquired.outcome === 'granted') {
      for (const { vm, token } of acquired.leases) await process.manager.release({ name: vm.name, token })
    }
    await rig.until('the used ones are gone', async () => kinds(process, 'vm.removed') === 2)
    expect(rig.cloud.machines()).toHaveLength(3)
    expect(await process.store.verify()).toEqual([])
  })

  test('C8 a week without demand: no spawn and no termination after the first', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', checkPeriodMs: 1_800_000, maxCheckAgeMs: 7_200_000, maxReadyAgeMs: DAY_MS }],
      labels: [labelOptions({ label: 'g', minReady: 2, maxReady: 4, scaleFactor: 1 })],
      master: { cycleMs: 1_200_000, leadership: { leaseMs: 7_200_000, renewMs: 1_800_000 } },
    })
    const process = await rig.process()
    await rig.until('two are ready', async () => (await count(process, rig, 'ready')) === 2)
    await rig.clock.advance(7 * DAY_MS)
    expect(kinds(process, 'vm.requested')).toBe(2)
    expect(kinds(process, 'vm.terminating')).toBe(0)
    expect(kinds(process, 'vm.check_passed'), 'it was alive all the time').toBeGreaterThan(600)
    expect(await count(process, rig, 'ready')).toBe(2)
  }, 60_000)

  test('C8 a burst of n requests starts exactly max(0, n - ready) machines', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', maxTotal: 0, maxSpawns: 0, maxPerUser: 0 }],
      labels: [labelOptions({ label: 'g', minReady: 4 })],
    })
    const process = await rig.process()
    await rig.until('four are ready', async () => (await count(process, rig, 'ready')) === 4)
    // From now on nothing is kept idle, so that every start is the burst's.
    rig.plan.labels = [labelOptions({ label: 'g', onDemand: true, scaleDownDelayMs: DAY_MS })]
    const burst = Array.from({ length: 11 }, async (_, index) => {
      const input = { owner: `u${index}`, worker: 'w', waitMs: 60_000 }
      return await process.manager.acquire(input, { signal: AbortSignal.timeout(30_000) })
    })
    const acquired = await rig.done(Promise.all(burst))
    expect(acquired.every(({ outcome }) => outcome === 'granted')).toBe(true)
    expect(kinds(process, 'vm.requested')).toBe(4 + 7)
  })

  test('C8 a machine that served max_uses is replaced first and goes then; the minimum stands all the time', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', dirtyPolicy: 'reset', maxUses: 1 }],
      labels: [labelOptions({ label: 'g', minReady: 2 })],
      rules: { retirePauseMs: 5000 },
    })
    const process = await rig.process()
    await rig.until('two are ready', async () => (await count(process, rig, 'ready')) === 2)
    const acquired = await process.manager.acquire({ owner: 'u', worker: 'w' }, { signal: AbortSignal.timeout(9999) })
    await rig.until('two are ready beside it', async () => (await count(process, rig, 'ready')) === 2)
    const lease = acquired.outcome === 'granted' ? acquired.leases[0]! : undefined
    await process.manager.release({ name: lease!.vm.name, token: lease!.token })
    await rig.until('the used one is gone', async () => (await process.store.get(lease!.vm.name)) === null)
    expect(await count(process, rig, 'ready')).toBe(2)
    expect(process.changes.find(({ kind }) => kind === 'vm.terminating')?.reason).toBe('it served max_uses')
  })

  test('C8 machines beyond max_age are replaced one by one where the minimum fills the group', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', maxTotal: 3, maxAgeMs: 600_000 }],
      labels: [labelOptions({ label: 'g', minReady: 3 })],
      rules: { retirePauseMs: 5000 },
    })
    const process = await rig.process()
    await rig.until('three are ready', async () => (await count(process, rig, 'ready')) === 3)
    const { vms: first } = await process.store.list({ limit: 9 })
    let least = 3
    await rig.until(
      'all are replaced',
      async () => {
        const { vms } = await process.store.list({ limit: 9 })
        least = Math.min(least, vms.filter(({ state }) => state === 'ready' || state === 'check_health').length)
        const left = vms.filter(({ name }) => first.some((each) => each.name === name))
        return left.length === 0 && (await count(process, rig, 'ready')) === 3
      },
      1_200_000,
    )
    expect(least).toBe(2)
  })

  test('C8 stopped machines are kept and woken', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', maxSpawns: 0, dirtyPolicy: 'discard' }],
      labels: [labelOptions({ label: 'g', minReady: 1, standby: 2 })],
    })
    const process = await rig.process()
    const standing = async (): Promise<number> =>
      (await process.store.counts({ now: rig.clock.now() }))[0]?.states.standby ?? 0
    await rig.until('two stand by', async () => (await standing()) === 2)
    await rig.until(
      'they are stopped',
      () => rig.cloud.machines().filter(({ status }) => status === 'stopped').length === 2,
    )
    const acquired = process.manager.acquire(
      { owner: 'u', worker: 'w', count: 2, waitMs: 60_000 },
      { signal: AbortSignal.timeout(9999) },
    )
    expect(await rig.done(acquired)).toMatchObject({ outcome: 'granted' })
    expect(kinds(process, 'vm.starting')).toBeGreaterThan(0)
    await rig.until('two stand by again', async () => (await standing()) === 2)
  })
})

describe('C11 providers', () => {
  test('C11 a label whose machines are described wrongly rests; the provider does not', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'bad' }, { id: 'good' }],
      labels: [labelOptions({ label: 'bad', minReady: 1 }), labelOptions({ label: 'good', minReady: 1 })],
    })
    rig.cloud.faults.order('create', 'invalid', { times: 1 })
    const process = await rig.process()
    await rig.until('the good one is ready', async () => (await count(process, rig, 'ready')) === 1)
    expect(process.spawner.whyNot('bad')).toContain('its machines cannot be made')
    expect(process.spawner.whyNot('good')).toBeNull()
    await rig.until('it is tried again', async () => (await count(process, rig, 'ready')) === 2, 60_000)
  })

  test('C11 the first provider refuses for quota: the second serves all, and the first is probed once per pause', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', maxTotal: 0, maxSpawns: 0 }],
      labels: [labelOptions({ label: 'g', minReady: 6 })],
      providers: [{ name: 'first', priority: 10 }, { name: 'second' }],
    })
    rig.cloud.faults.order('create', 'quota', { times: 1 })
    const process = await rig.process()
    await rig.until('six are ready', async () => (await count(process, rig, 'ready')) === 6)
    const { vms } = await process.store.list({ limit: 100 })
    expect(vms.filter(({ provider }) => provider === 'second').length).toBeGreaterThanOrEqual(1)
  })

  test('C11 a creation that never ends does not count for ever: it is given up after launch_timeout and replaced', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', launchTimeoutMs: 60_000 }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
    })
    rig.cloud.faults.order('create', 'hang', { times: 1 })
    const process = await rig.process()
    await rig.until('one is ready', async () => (await count(process, rig, 'ready')) === 1, 120_000)
    expect(process.changes.find(({ kind }) => kind === 'vm.spawn_failed')?.reason).toContain('launch_timeout 60000')
    await rig.until('nothing is left of it', async () => (await process.store.list({ limit: 9 })).vms.length === 1)
    expect(rig.cloud.machines()).toHaveLength(1)
  })
})

describe('C7 checks', () => {
  const CHECK_MS = 100
  const AT_ONCE = 32

  test.each(['in good order', 'by kill -9'] as const)(
    'C7 restart %s with 1,000 ready machines: the first is handed out within 2 s, all are checked again, the longest unused first',
    async (how) => {
      const checked: string[] = []
      await using rig = new PoolRig({
        groups: [{ id: 'g', maxTotal: 0, maxSpawns: 0, dirtyPolicy: 'reset' }],
        labels: [labelOptions({ label: 'g', minReady: 1000 })],
        cloud: { latency: { resetMs: 10 } },
        check: async ({ name }, { signal }) => {
          checked.push(name)
          await rig.clock.sleep(CHECK_MS, { signal })
          return { passed: true, reason: '' }
        },
      })
      const before = await rig.process()
      await rig.until('1,000 are ready', async () => (await count(before, rig, 'ready')) === 1000)
      // Some have been used since, one after the other: these are the last to be looked at again.
      for (let use = 0; use < 20; use += 1) {
        const input = { owner: `u${use}`, worker: 'w' }
        const used = await before.manager.acquire(input, { signal: AbortSignal.timeout(30_000) })
        const lease = used.outcome === 'granted' ? used.leases[0]! : undefined
        await before.manager.release({ name: lease!.vm.name, token: lease!.token })
        await rig.clock.advance(20)
      }
      // The twenty that were in use had others made beside them.
      const all = async () => (await before.store.list({ limit: 2000 })).vms
      await rig.until('all are ready', async () => (await all()).every(({ state }) => state === 'ready'))
      const machines = new Map((await all()).map((vm) => [vm.name, vm]))
      if (how === 'by kill -9') before.kill()
      else await rig.done(before.master.stop({ timeoutMs: 1000 }))
      await rig.clock.advance(10_000)
      checked.length = 0

      const since = rig.clock.now()
      const after = await rig.process()
      const wish = { owner: 'u', worker: 'w', waitMs: 60_000 }
      const acquired = after.manager.acquire(wish, { signal: AbortSignal.timeout(60_000) })
      let first: number | undefined
      acquired.then(
        () => (first = rig.clock.now()),
        () => undefined,
      )
      await rig.until('the first is handed out', () => first !== undefined, 60_000, 10)
      expect(first! - since).toBeLessThanOrEqual(2000)
      const granted = await acquired
      const [lease] = granted.outcome === 'granted' ? granted.leases : []
      const startedAt = (await after.store.serverStartedAt())!
      expect(startedAt).toBeGreaterThanOrEqual(since)
      expect(machines.size).toBeGreaterThanOrEqual(1000)
      expect(lease!.vm.checkPassedAt, 'it was looked at since').toBeGreaterThan(startedAt)
      const again = (): string[] => [...new Set(checked)].filter((name) => machines.has(name))
      await rig.until('all were looked at', () => again().length === machines.size, 60_000, 10)
      expect(rig.clock.now() - since, 'as many at once as may be').toBeLessThanOrEqual(
        2000 + (1000 / AT_ONCE) * CHECK_MS,
      )
      const inOrder = again().map((name) => machines.get(name)!)
      const unusedSince = inOrder.map(({ lastRelease, createdAt }) => lastRelease ?? createdAt)
      expect(unusedSince).toEqual(unusedSince.toSorted((a, b) => a - b))
      expect(inOrder.filter(({ lastRelease }) => lastRelease !== null).length).toBeGreaterThan(10)
      // One for the machine that is in use now: the minimum is idle beyond it.
      expect(kinds(after, 'vm.requested'), 'machines that wait for a check are not replaced').toBeLessThanOrEqual(1)
    },
    60_000,
  )

  test('C7 no more checks run at one time than allowed', async () => {
    let running = 0
    let most = 0
    await using rig = new PoolRig({
      groups: [{ id: 'g', maxTotal: 0, maxSpawns: 0 }],
      labels: [labelOptions({ label: 'g', minReady: 100 })],
      check: async (_vm, { signal }) => {
        running += 1
        most = Math.max(most, running)
        await rig.clock.sleep(100, { signal })
        running -= 1
        return { passed: true, reason: '' }
      },
    })
    const process = await rig.process()
    await rig.until('all are ready', async () => (await count(process, rig, 'ready')) === 100)
    expect(most).toBe(32)
  })

  test('C7 a check that hangs fails after its time; one that fails too often ends the machine', async () => {
    const hanging = new Set<string>()
    await using rig = new PoolRig({
      groups: [{ id: 'g', checkPeriodMs: 20_000, maxCheckFails: 2 }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
      check: async (vm, { signal }) => {
        if (hanging.has(vm.name)) await rig.clock.sleep(1e9, { signal })
        return { passed: true, reason: '' }
      },
    })
    const process = await rig.process()
    await rig.until('one is ready', async () => (await count(process, rig, 'ready')) === 1)
    const [vm] = (await process.store.list({ limit: 1 })).vms
    hanging.add(vm!.name)
    await rig.until('it is gone', async () => (await process.store.get(vm!.name)) === null)
    const failed = process.changes.filter((change) => change.kind === 'vm.check_failed' && change.vm === vm!.name)
    expect(failed).toHaveLength(3)
    expect(failed[0]?.reason).toContain('took longer than 10000 ms')
    await rig.until('another is ready', async () => (await count(process, rig, 'ready')) === 1)
  })

  test('C7 a check that could not be made says nothing of the machine, and is not made again at once', async () => {
    let broken = false
    let tried = 0
    await using rig = new PoolRig({
      groups: [{ id: 'g', checkPeriodMs: 20_000 }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
      check: async () => {
        tried += 1
        if (broken) throw new Error('no ssh here')
        return { passed: true, reason: '' }
      },
    })
    const process = await rig.process()
    await rig.until('one is ready', async () => (await count(process, rig, 'ready')) === 1)
    broken = true
    tried = 0
    await rig.clock.advance(60_000)
    const [vm] = (await process.store.list({ limit: 1 })).vms
    expect(vm).toMatchObject({ state: 'ready', checkFails: 0 })
    expect(tried).toBeGreaterThan(1)
    expect(tried).toBeLessThanOrEqual(6)
  })
})

describe('C10 C17 the end of machines', () => {
  test('C10 one that is not gone is asked again at longer and longer intervals, and then a person is called', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', terminatingTimeoutMs: 60_000 }],
      rules: { terminateAttempts: 3 },
      labels: [labelOptions({ label: 'g', minReady: 1 })],
    })
    const process = await rig.process()
    await rig.until('one is ready', async () => (await count(process, rig, 'ready')) === 1)
    const [vm] = (await process.store.list({ limit: 1 })).vms
    rig.cloud.faults.order('destroy', 'transient', { machine: vm!.name, times: 99 })
    await process.operator.delete([vm!.name], { force: false, reason: 'test' })
    await rig.until('it is stuck', async () => (await process.store.get(vm!.name))?.state === 'stuck', 3_600_000, 5000)
    expect((await process.store.get(vm!.name))?.terminateAttempts).toBe(3)
    expect(await count(process, rig, 'ready'), 'it counts against nobody').toBe(1)
  })

  test('C17 with discard no machine is ever handed out twice', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', dirtyPolicy: 'discard', maxTotal: 3, maxSpawns: 0 }],
      labels: [labelOptions({ label: 'g', minReady: 2 })],
    })
    const process = await rig.process()
    const seen: string[] = []
    for (let use = 0; use < 10; use += 1) {
      const input = { owner: 'u', worker: 'w', waitMs: 60_000 }
      const acquired = await rig.done(process.manager.acquire(input, { signal: AbortSignal.timeout(30_000) }))
      const lease = acquired.outcome === 'granted' ? acquired.leases[0]! : undefined
      seen.push(lease!.vm.name)
      await process.manager.release({ name: lease!.vm.name, token: lease!.token })
    }
    expect(new Set(seen).size).toBe(10)
  })

  test('C17 a machine that cannot be made clean again is destroyed', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', dirtyPolicy: 'reset' }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
    })
    const process = await rig.process()
    await rig.until('one is ready', async () => (await count(process, rig, 'ready')) === 1)
    rig.cloud.faults.order('reset', 'transient', { times: 1 })
    const acquired = await process.manager.acquire({ owner: 'u', worker: 'w' }, { signal: AbortSignal.timeout(9999) })
    const lease = acquired.outcome === 'granted' ? acquired.leases[0]! : undefined
    const after = await process.manager.release({ name: lease!.vm.name, token: lease!.token })
    expect(after.state, 'a machine in reset is not ready').toBe('resetting')
    await rig.until('it is gone', async () => (await process.store.get(lease!.vm.name)) === null)
  })
})
