import { describe, expect, test } from 'vitest'

import { VmExistsError, VmNotFoundError, VmStateError } from '../errors.ts'
import { PATIENCE_MS, START, inLab, type PoolFactory } from './lab.ts'

/** How machines come and are checked. */
export function lifeCases(name: string, factory: PoolFactory): void {
  describe(`${name}: a spawn`, { timeout: PATIENCE_MS }, () => {
    const spawn = { group: 'g', provider: 'p', now: START, fence: null }

    test(
      'C6 is on record before the provider is asked, through to its address',
      inLab(factory, async (lab) => {
        const asked = await lab.store.requestSpawn({ ...spawn, name: 'n' })
        expect(asked).toMatchObject({ outcome: 'requested', vm: { name: 'n', state: 'requested', provider: 'p' } })
        await lab.store.building({ name: 'n', provider: 'q', providerId: 'id-1', now: lab.now })
        await expect(lab.store.get('n')).resolves.toMatchObject({
          state: 'building',
          provider: 'q',
          providerId: 'id-1',
        })
        const due = await lab.store.due({ now: lab.now + 900_001, limit: 10 })
        expect(due.vms).toMatchObject([{ vm: { name: 'n' }, kinds: ['launch'] }])
        await lab.store.spawned({ name: 'n', ip: '10.1.1.1', providerData: { zone: 'é' }, now: lab.now })
        await expect(lab.store.byIp('10.1.1.1')).resolves.toMatchObject([
          { name: 'n', state: 'got_ip', providerId: 'id-1', providerData: { zone: 'é' } },
        ])
      }),
    )

    test(
      'C6 that fails leaves nothing, or what has to be destroyed',
      inLab(factory, async (lab) => {
        await lab.store.requestSpawn({ ...spawn, name: 'a' })
        await lab.store.requestSpawn({ ...spawn, name: 'b' })
        await lab.store.spawnFailed({ name: 'a', reason: 'no room', destroy: false, now: lab.now })
        await lab.store.spawnFailed({ name: 'b', reason: 'half made', destroy: true, now: lab.now })
        await expect(lab.state('a')).resolves.toBeNull()
        await expect(lab.store.get('b')).resolves.toMatchObject({ state: 'terminating', terminateReason: 'half made' })
        const late = { name: 'b', ip: '10.1.1.1', now: lab.now }
        await expect(lab.store.spawned(late)).rejects.toThrow(VmStateError)
        await expect(lab.store.spawned({ ...late, name: 'a' })).rejects.toThrow(VmNotFoundError)
        await expect(lab.state('a')).resolves.toBeNull()
      }),
    )

    test(
      'C9 takes a name that is unique over all groups',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g' }, { id: 'h' }])
        await lab.store.requestSpawn({ ...spawn, name: 'n' })
        await expect(lab.store.requestSpawn({ ...spawn, name: 'n', group: 'h' })).rejects.toThrow(VmExistsError)
        await expect(lab.add('n', 'h')).rejects.toThrow(VmExistsError)
      }),
    )

    test(
      'is refused by the limits of the group, in their order (A6.5)',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxTotal: 4, maxSpawns: 2, spawnIntervalMs: 1000 }])
        let count = 0
        const ask = async (more: object = {}) => {
          count += 1
          const outcome = await lab.store.requestSpawn({ ...spawn, ...more, name: `n${count}`, now: lab.now })
          return outcome.outcome === 'refused' ? `${outcome.kind} ${outcome.count}/${outcome.limit}` : outcome.outcome
        }
        await expect(ask()).resolves.toBe('requested')
        lab.now += 999
        await expect(ask()).resolves.toBe('interval 999/1000')
        lab.now += 1
        await expect(ask()).resolves.toBe('requested')
        lab.now += 1000
        await expect(ask()).resolves.toBe('max_spawns 2/2')
        await expect(ask({ ignoreRate: true })).resolves.toBe('requested')
        await expect(ask({ ignoreRate: true })).resolves.toBe('requested')
        await expect(ask({ ignoreRate: true })).resolves.toBe('max_total 4/4')
        const { vms } = await lab.store.list({ limit: 10 })
        const names = vms.map((vm) => vm.name)
        const ending = { names, by: { operator: true, force: false }, reason: 'test', now: lab.now } as const
        await lab.store.terminate(ending)
        for (let index = 0; index < 4; index += 1) await expect(ask({ ignoreRate: true })).resolves.toBe('requested')
        await lab.store.terminate({ ...ending, names: ['n9'] })
        await expect(ask({ ignoreRate: true })).resolves.toBe('failsafe 8/8')
        await expect(lab.store.counts({ now: lab.now })).resolves.toMatchObject([
          { group: 'g', states: { requested: 3, terminating: 5 }, lastSpawnStart: lab.now },
        ])
      }),
    )
  })

  describe(`${name}: a check`, { timeout: PATIENCE_MS }, () => {
    test(
      'C7 that fails counts, and one too many ends the machine',
      inLab(factory, async (lab) => {
        const [vm] = (await lab.ready(1)) as [string]
        const fail = async () => {
          lab.now += 1
          const { now } = lab
          await lab.store.startChecks({ checks: [{ name: vm, nextCheckAt: now }], now, fence: null })
          await lab.store.checkFailed({ name: vm, startedAt: now, reason: 'silent', now })
          return await lab.store.get(vm)
        }
        await expect(fail()).resolves.toMatchObject({ state: 'check_health_failed', checkFails: 1 })
        await expect(fail()).resolves.toMatchObject({ state: 'check_health_failed', checkFails: 2 })
        await lab.check([vm])
        await expect(lab.store.get(vm)).resolves.toMatchObject({ state: 'ready', checkFails: 0 })
        await fail()
        await fail()
        await expect(fail()).resolves.toMatchObject({ state: 'terminating', checkFails: 3 })
      }),
    )

    test(
      'C7 that could not be started puts everything back',
      inLab(factory, async (lab) => {
        const [vm] = (await lab.ready(1)) as [string]
        const before = await lab.store.get(vm)
        lab.now += 5000
        const { now } = lab
        await lab.store.startChecks({ checks: [{ name: vm, nextCheckAt: now + 1 }], now, fence: null })
        await expect(lab.store.get(vm)).resolves.toMatchObject({ state: 'check_health', checkStartedAt: now })
        await lab.store.checkNotLaunched({ name: vm, startedAt: now, now })
        await expect(lab.store.get(vm)).resolves.toEqual(before)
      }),
    )

    test(
      'C7 whose answer comes late changes nothing',
      inLab(factory, async (lab) => {
        const [vm] = (await lab.ready(1)) as [string]
        const { now } = lab
        await lab.store.startChecks({ checks: [{ name: vm, nextCheckAt: now }], now, fence: null })
        lab.now += 300_000
        const giveUp = async () => await lab.store.checksGivenUp({ names: [vm], now: lab.now, fence: null })
        await expect(giveUp()).resolves.toMatchObject({ refused: [{ name: vm }] })
        lab.now += 1
        await expect(giveUp()).resolves.toMatchObject({ refused: [] })
        const after = await lab.store.get(vm)
        expect(after).toMatchObject({ state: 'check_health_failed', checkFails: 0 })
        const late = { name: vm, startedAt: now, now: lab.now }
        await expect(lab.store.checkPassed(late)).resolves.toEqual({ changes: [] })
        await expect(lab.store.checkFailed({ ...late, reason: 'late' })).resolves.toEqual({ changes: [] })
        await expect(lab.store.get(vm)).resolves.toEqual(after)
      }),
    )

    test(
      'C7 of a machine in use leaves the use alone; its failures count at the release',
      inLab(
        factory,
        async (lab) => {
          await lab.ready(1)
          const lease = await lab.take()
          const { name: vm } = lease.vm
          for (let fails = 1; fails <= 3; fails += 1) {
            lab.now += 1
            const { now } = lab
            await lab.store.startChecks({ checks: [{ name: vm, nextCheckAt: now }], now, fence: null })
            await lab.store.checkFailed({ name: vm, startedAt: now, reason: 'silent', now })
            await expect(lab.store.get(vm)).resolves.toMatchObject({ state: 'in_use', checkFails: fails })
          }
          await expect(lab.release(lease)).resolves.toBe('check_health_failed')
          await expect(lab.store.get(vm)).resolves.toMatchObject({ uses: 1, worker: null, boundToUser: 'bob' })
        },
        { checkInUse: true },
      ),
    )
  })
}
