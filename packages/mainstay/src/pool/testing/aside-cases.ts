import { describe, expect, test } from 'vitest'

import { HoldRefusedError, VmNotFoundError, VmStateError } from '../errors.ts'
import { PATIENCE_MS, inLab, type PoolFactory } from './lab.ts'

/** How machines are made clean, set aside, and end. */
export function asideCases(name: string, factory: PoolFactory): void {
  describe(`${name}: policies for dirty machines`, { timeout: PATIENCE_MS }, () => {
    test(
      'C17 with discard no machine is handed out twice',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxPerUser: 0, dirtyPolicy: 'discard' }])
        const names = await lab.ready(20)
        const seen: string[] = []
        for (let use = 0; use < 20; use += 1) {
          const lease = await lab.take()
          seen.push(lease.vm.name)
          await expect(lab.release(lease)).resolves.toBe('terminating')
        }
        expect(seen.toSorted()).toEqual(names)
        await expect(lab.acquire()).resolves.toMatchObject({ outcome: 'unavailable' })
      }),
    )

    test(
      'C17 with reset a machine is clean and checked again before anybody has it',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', dirtyPolicy: 'reset' }])
        await lab.ready(1)
        const lease = await lab.take()
        await expect(lab.release(lease)).resolves.toBe('resetting')
        await expect(lab.store.counts({ now: lab.now })).resolves.toMatchObject([{ free: 0, clean: 0 }])
        await lab.store.resetDone({ name: lease.vm.name, now: lab.now })
        await expect(lab.acquire({ owner: 'eve' })).resolves.toMatchObject({ outcome: 'unavailable' })
        await lab.check([lease.vm.name])
        await expect(lab.take({ owner: 'eve' })).resolves.toMatchObject({ vm: { name: lease.vm.name, uses: 1 } })
      }),
    )
  })

  describe(`${name}: hold and drain`, { timeout: PATIENCE_MS }, () => {
    test(
      'C12 a held machine is neither used nor collected before its end, and is afterwards',
      inLab(factory, async (lab) => {
        await lab.ready(1)
        const lease = await lab.take()
        const { name: vm } = lease.vm
        const until = lab.now + 3_600_000
        await lab.store.hold({ name: vm, until, reason: 'look', by: 'ann', now: lab.now })
        await expect(lab.release(lease)).resolves.toBe('held')
        await expect(lab.acquire()).resolves.toMatchObject({ outcome: 'unavailable' })
        await expect(lab.store.due({ now: until - 1, limit: 1 })).resolves.toMatchObject({ vms: [] })
        await expect(lab.store.due({ now: until, limit: 1 })).resolves.toMatchObject({ vms: [{ kinds: ['hold_end'] }] })
        await lab.store.unhold({ names: [vm], now: until })
        await expect(lab.store.get(vm)).resolves.toMatchObject({ state: 'ready', holdUntil: null, boundToUser: 'bob' })
        const due = await lab.store.due({ now: until, limit: 1 })
        expect(due.vms[0]!.kinds).toContain('dirty')
      }),
    )

    test(
      'C12 holds have a longest time and a quota',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g' }], { holdQuota: 2 })
        const names = await lab.ready(3)
        const hold = async (vm: string, forMs: number) =>
          await lab.store.hold({ name: vm, until: lab.now + forMs, reason: 'r', by: 'ann', now: lab.now })
        await expect(hold(names[0]!, 86_400_001)).rejects.toThrow(HoldRefusedError)
        await expect(hold(names[0]!, 0)).rejects.toThrow(HoldRefusedError)
        await hold(names[0]!, 86_400_000)
        await hold(names[1]!, 1000)
        await hold(names[1]!, 2000)
        await expect(hold(names[2]!, 1000)).rejects.toThrow(/ann has 2 machines on hold/)
        await lab.store.terminate({
          names: [names[0]!],
          by: { operator: true, force: false },
          reason: 'seen',
          now: lab.now,
        })
        await hold(names[2]!, 1000)
      }),
    )

    test(
      'C12 the next failing use of a label, and no other, is held',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', labels: ['small'] }])
        await lab.ready(3)
        const order = { holdMs: 1000, reason: 'look', by: 'ann', expiresAt: lab.now + 1000 }
        await lab.store.holdOnFailure({ ...order, id: '1', match: { taskId: 'other' } })
        await lab.store.holdOnFailure({ ...order, id: '2', match: { label: 'small' } })
        const [good, bad, next] = [await lab.take(), await lab.take(), await lab.take()]
        await expect(lab.release(good)).resolves.toBe('ready')
        await expect(lab.release(bad, true)).resolves.toBe('held')
        await expect(lab.store.get(bad.vm.name)).resolves.toMatchObject({
          holdUntil: lab.now + 1000,
          holdBy: 'ann',
          holdOwner: 'bob',
        })
        await expect(lab.release(next, true)).resolves.toBe('ready')
        await expect(lab.store.failureHolds()).resolves.toMatchObject([{ id: '1' }])
        await expect(lab.store.dropFailureHold('1')).resolves.toBe(true)
        await expect(lab.store.dropFailureHold('1')).resolves.toBe(false)
      }),
    )

    test(
      'C12 a drained machine ends its use first; undrained, it is used again',
      inLab(factory, async (lab) => {
        const names = await lab.ready(3)
        const lease = await lab.take()
        const idle = names.filter((each) => each !== lease.vm.name)
        await lab.store.drain({ names: [lease.vm.name, idle[0]!], mode: 'terminate', now: lab.now })
        await lab.store.drain({ names: [idle[1]!], mode: 'keep', now: lab.now })
        await expect(lab.state(lease.vm.name)).resolves.toBe('in_use')
        await expect(lab.state(idle[0]!)).resolves.toBe('terminating')
        await expect(lab.state(idle[1]!)).resolves.toBe('drained')
        await expect(lab.release(lease)).resolves.toBe('terminating')
        await expect(lab.acquire({ owner: 'eve' })).resolves.toMatchObject({ outcome: 'unavailable' })
        const again = { names: [idle[1]!, lease.vm.name], now: lab.now }
        await expect(lab.store.undrain(again)).resolves.toMatchObject({ refused: [{ name: lease.vm.name }] })
        await expect(lab.take({ owner: 'eve' })).resolves.toMatchObject({ vm: { name: idle[1] } })
      }),
    )

    test(
      'C20 a group that is gone from the configuration is drained, and stays known',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g' }, { id: 'h' }])
        await lab.ready(1, 'h')
        const lease = await lab.take({ groups: ['h'] })
        await lab.ready(1, 'h')
        await lab.configure([{ id: 'g' }])
        await expect(lab.acquire({ groups: ['h'] })).resolves.toMatchObject({ refusals: [{ kind: 'draining' }] })
        await expect(lab.release(lease)).resolves.toBe('terminating')
        const { groups } = await lab.store.configuration()
        expect(groups.map(({ id, draining, retired }) => [id, draining, retired])).toEqual([
          ['g', null, false],
          ['h', 'terminate', true],
        ])
        await lab.configure([{ id: 'g' }, { id: 'h' }])
        await lab.take({ groups: ['h'] })
      }),
    )
  })

  describe(`${name}: standby`, { timeout: PATIENCE_MS }, () => {
    test(
      'C8 a stopped machine comes back with a new address and is checked again',
      inLab(factory, async (lab) => {
        const [vm] = (await lab.ready(1)) as [string]
        await lab.store.standBy({ name: vm, now: lab.now, fence: null })
        await expect(lab.acquire()).resolves.toMatchObject({ outcome: 'unavailable' })
        await lab.store.wake({ name: vm, now: lab.now, fence: null })
        await lab.store.spawned({ name: vm, ip: '10.9.9.9', now: lab.now })
        await expect(lab.store.get(vm)).resolves.toMatchObject({ state: 'got_ip', ip: '10.9.9.9' })
        await lab.check([vm])
        const lease = await lab.take()
        await lab.release(lease)
        await expect(lab.store.standBy({ name: vm, now: lab.now, fence: null })).rejects.toThrow(VmStateError)
      }),
    )
  })

  describe(`${name}: termination`, { timeout: PATIENCE_MS }, () => {
    test(
      'A4 refuses in its order: another state than allowed, already ending, in use and protected',
      inLab(factory, async (lab) => {
        const [idle] = (await lab.ready(1)) as [string]
        const because = async (more: object) => {
          const base = { names: [idle], by: { fence: 0 }, reason: 'test', now: lab.now }
          const { refused } = await lab.store.terminate({ ...base, ...more })
          return refused[0]?.because ?? 'done'
        }
        const lease = await lab.take()
        await expect(because({})).resolves.toBe('it is in use')
        await expect(because({ by: { operator: true, force: false } })).resolves.toBe('it is in use')
        await expect(because({ allowedFrom: ['ready'] })).resolves.toBe('it is in_use')
        await lab.release(lease)
        await expect(because({ allowedFrom: ['ready'] })).resolves.toBe('done')
        await expect(because({})).resolves.toBe('it is terminating already')
        await expect(because({ allowedFrom: ['terminating'] })).resolves.toBe('done')
        await expect(because({ names: ['nobody'] })).resolves.toBe('it is not in the pool')
        await expect(lab.state('nobody')).resolves.toBeNull()
      }),
    )

    test(
      'C6 of a machine in use tells the worker, and asking the provider is due until it is done',
      inLab(factory, async (lab) => {
        await lab.ready(1)
        const { vm } = await lab.take({ worker: 'w7' })
        const by = { operator: true, force: true } as const
        const { changes } = await lab.store.terminate({ names: [vm.name], by, reason: 'broken', now: lab.now })
        expect(changes).toMatchObject([
          { kind: 'vm.terminating', from: 'in_use', worker: 'w7', ip: vm.ip, reason: 'broken' },
        ])
        const due = async () => (await lab.store.due({ now: lab.now, limit: 1 })).vms.flatMap(({ kinds }) => kinds)
        await expect(due()).resolves.toEqual(['terminate'])
        const asked = { vms: [{ name: vm.name, againAt: lab.now + 5000 }], now: lab.now, fence: null }
        await lab.store.terminationAsked(asked)
        await expect(due()).resolves.toEqual([])
        lab.now += 5000
        await expect(due()).resolves.toEqual(['terminate'])
        await expect(lab.store.get(vm.name)).resolves.toMatchObject({ terminateAttempts: 1, leaseToken: null })
        await lab.store.markStuck({ name: vm.name, now: lab.now, fence: null })
        await expect(due()).resolves.toEqual([])
        await lab.store.remove({ name: vm.name, now: lab.now })
        await expect(lab.state(vm.name)).resolves.toBeNull()
      }),
    )

    test(
      'A5.1 a machine leaves the pool only when it is ending',
      inLab(factory, async (lab) => {
        const [vm] = (await lab.ready(1)) as [string]
        await expect(lab.store.remove({ name: vm, now: lab.now })).rejects.toThrow(VmStateError)
        await expect(lab.store.remove({ name: 'nobody', now: lab.now })).rejects.toThrow(VmNotFoundError)
        await expect(lab.state(vm)).resolves.toBe('ready')
      }),
    )
  })
}
