import { describe, expect, test } from 'vitest'

import type { VmLease } from '../store.ts'
import { PATIENCE_MS, inLab, type PoolFactory } from './lab.ts'

/** Acquire and its limits. */
export function useCases(name: string, factory: PoolFactory): void {
  describe(`${name}: acquire`, { timeout: PATIENCE_MS }, () => {
    test(
      'C1 hands out a checked clean machine with a lease, and the record says to whom',
      inLab(factory, async (lab) => {
        const [vm] = await lab.ready(1)
        const lease = await lab.take({ taskId: 't1', buildId: 'b1', chroot: 'c1', arch: 'x86_64' })
        expect(lease).toMatchObject({ token: 'token of request-00001', expiresAt: lab.now + 60_000 })
        expect(lease.vm).toMatchObject({
          name: vm,
          state: 'in_use',
          boundToUser: 'bob',
          sandbox: 's',
          worker: 'w',
          inUseSince: lab.now,
          taskId: 't1',
          buildId: 'b1',
          chroot: 'c1',
          arch: 'x86_64',
          uses: 0,
        })
        await expect(lab.store.get(vm!)).resolves.toEqual(lease.vm)
        await expect(lab.store.byTask('t1')).resolves.toEqual([lease.vm])
      }),
    )

    test(
      'C1 says the same again to the same request, and never gives it a second machine',
      inLab(factory, async (lab) => {
        await lab.ready(3)
        const first = await lab.take({ id: 'r' })
        await expect(lab.take({ id: 'r' })).resolves.toEqual(first)
        await expect(lab.store.list({ states: ['in_use'], limit: 10 })).resolves.toMatchObject({ vms: [first.vm] })
      }),
    )

    test(
      'C1 prefers the machine that the owner dirtied, and nobody else gets that one',
      inLab(factory, async (lab) => {
        await lab.ready(2)
        const first = await lab.take()
        await lab.release(first)
        const other = await lab.take({ owner: 'eve' })
        expect(other.vm.name).not.toBe(first.vm.name)
        const again = await lab.take()
        expect(again.vm.name).toBe(first.vm.name)
        await lab.release(again)
        await expect(lab.acquire({ owner: 'eve' })).resolves.toMatchObject({ outcome: 'unavailable' })
        await expect(lab.acquire({ sandbox: 'another' })).resolves.toMatchObject({ outcome: 'unavailable' })
        expect((await lab.take()).vm).toMatchObject({ name: first.vm.name, uses: 2 })
      }),
    )

    test(
      'C1 goes through the groups in the order of the request',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g' }, { id: 'h' }])
        const [g] = await lab.ready(1, 'g')
        const [h] = await lab.ready(1, 'h')
        expect((await lab.take({ groups: ['h', 'g'] })).vm.name).toBe(h)
        expect((await lab.take({ groups: ['h', 'g'] })).vm.name).toBe(g)
        await expect(lab.acquire({ groups: ['h', 'g'] })).resolves.toMatchObject({
          outcome: 'unavailable',
          refusals: [
            { kind: 'no_vm', group: 'h' },
            { kind: 'no_vm', group: 'g' },
          ],
        })
      }),
    )

    test(
      'C8 a machine that served its uses is never handed out again, to nobody, however soon he asks',
      inLab(
        factory,
        async (lab) => {
          const [name] = await lab.ready(1)
          for (const uses of [0, 1]) {
            const lease = await lab.take()
            expect(lease.vm).toMatchObject({ name, uses })
            await lab.release(lease)
          }
          await expect(lab.acquire()).resolves.toMatchObject({ outcome: 'unavailable' })
          await expect(lab.acquire({ owner: 'eve' })).resolves.toMatchObject({ outcome: 'unavailable' })
          const waits = await lab.wait()
          await lab.check([name!])
          await lab.store.serve({ groups: ['g'], now: lab.now })
          await expect(lab.holds(waits)).resolves.toEqual([])
          const [fresh] = await lab.ready(1)
          await expect(lab.holds(waits)).resolves.toEqual([fresh])
        },
        { maxUses: 2 },
      ),
    )

    test(
      'C8 a machine that served its uses counts for nothing when it is clean again, and goes by the rules of now',
      inLab(factory, async (lab) => {
        const rules = { id: 'g', maxTotal: 0, dirtyPolicy: 'reset' } as const
        await lab.configure([{ ...rules, maxUses: 1 }])
        const [name] = await lab.ready(1)
        await lab.release(await lab.take())
        await lab.store.resetDone({ name: name!, now: lab.now })
        await lab.check([name!])
        const stock = async () => (await lab.store.counts({ now: lab.now }))[0]
        await expect(stock()).resolves.toMatchObject({ states: { ready: 1 }, free: 0, clean: 0 })
        await lab.configure([{ ...rules, maxUses: 2 }])
        await expect(stock()).resolves.toMatchObject({ free: 1, clean: 1 })
        await lab.configure([{ ...rules, maxUses: 1 }])
        await expect(lab.acquire()).resolves.toMatchObject({ outcome: 'unavailable' })
        await lab.configure([{ ...rules, maxUses: 0 }])
        expect((await lab.take()).vm.name).toBe(name)
      }),
    )

    test(
      'C7 takes only what passed a check after the start of the server, and not too long ago',
      inLab(
        factory,
        async (lab) => {
          const names = await lab.ready(2)
          await lab.store.markServerStart({ now: lab.now, fence: null })
          await expect(lab.acquire()).resolves.toMatchObject({ outcome: 'unavailable' })
          const due = await lab.store.due({ now: lab.now, limit: 10 })
          expect(due.vms.map(({ vm, kinds }) => [vm.name, ...kinds])).toEqual(names.map((each) => [each, 'check']))
          lab.now += 1
          await lab.check([names[0]!])
          expect((await lab.take()).vm.name).toBe(names[0])
          await lab.check([names[1]!])
          lab.now += 10_001
          await expect(lab.acquire()).resolves.toMatchObject({ outcome: 'unavailable' })
          await lab.check([names[1]!])
          lab.now += 10_000
          expect((await lab.take()).vm.name).toBe(names[1])
        },
        { maxCheckAgeMs: 10_000 },
      ),
    )

    test(
      'C7 checked machines are looked at again after a restart, the longest unused first',
      inLab(factory, async (lab) => {
        const names = await lab.ready(3)
        const leases: VmLease[] = []
        for (const _each of names) leases.push(await lab.take({ sandbox: `s${leases.length}` }))
        for (const lease of [leases[1]!, leases[2]!, leases[0]!]) {
          lab.now += 1000
          await lab.release(lease)
        }
        await lab.store.markServerStart({ now: lab.now, fence: null })
        const { vms } = await lab.store.due({ now: lab.now, limit: 2 })
        expect(vms.map(({ vm }) => vm.name)).toEqual([leases[1]!.vm.name, leases[2]!.vm.name])
      }),
    )

    test(
      'C4 refuses at once what could never be served',
      inLab(
        factory,
        async (lab) => {
          const code = (want: object) =>
            lab.acquire(want).then(
              ({ outcome }) => outcome,
              (error: { code: string }) => error.code,
            )
          await expect(code({ groups: ['nowhere'] })).resolves.toBe('MS_POOL_GROUP_NOT_FOUND')
          await expect(code({ groups: [] })).resolves.toBe('MS_POOL_REQUEST_IMPOSSIBLE')
          await expect(code({ count: 4 })).resolves.toBe('MS_POOL_REQUEST_IMPOSSIBLE')
          await expect(code({ count: 0 })).resolves.toBe('MS_INVALID_INPUT')
          await expect(code({ priority: 1001 })).resolves.toBe('MS_INVALID_INPUT')
          await expect(code({ count: 3 })).resolves.toBe('unavailable')
        },
        { maxTotal: 3 },
      ),
    )
  })

  describe(`${name}: limits`, { timeout: PATIENCE_MS }, () => {
    test(
      'C3 16 clients at once never get more than the limit of an owner',
      inLab(
        factory,
        async (lab) => {
          await lab.ready(200)
          const stores = await Promise.all(Array.from({ length: 4 }, () => lab.place.open()))
          await using closing = new AsyncDisposableStack()
          for (const store of stores) closing.use(store)
          const most: number[] = []
          const client = async (index: number): Promise<void> => {
            const store = stores[index % stores.length]!
            for (let turn = 0; turn < 20; turn += 1) {
              const outcome = await store.acquire(lab.request({ id: `${index}/${turn}` }))
              const [usage] = await store.usage(['bob'])
              most.push(usage!.held, usage!.bound['g'] ?? 0)
              if (outcome.outcome !== 'granted') continue
              const [{ vm, token }] = outcome.leases as [VmLease]
              await store.release({ name: vm.name, token, now: lab.now })
            }
          }
          await Promise.all(Array.from({ length: 16 }, (_, index) => client(index)))
          expect(Math.max(...most)).toBe(4)
        },
        { maxPerUser: 4 },
      ),
    )

    test(
      'C3 counts per sandbox, per architecture, per group and over all groups',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxPerUser: 0, maxPerSandbox: 1, maxInUse: 3 }, { id: 'h' }], {
          maxHeldPerUser: 4,
          maxHeldPerArch: { arm: 1 },
        })
        await lab.ready(6)
        await lab.ready(6, 'h')
        const refusal = async (want: object) => {
          const outcome = await lab.acquire(want)
          return outcome.outcome === 'unavailable' ? outcome.refusals.map(({ kind }) => kind) : outcome.outcome
        }
        const first = await lab.take({ arch: 'arm' })
        await expect(refusal({})).resolves.toEqual(['sandbox_limit'])
        await expect(refusal({ owner: 'eve', arch: 'arm' })).resolves.toEqual(['arch_limit'])
        await lab.take({ sandbox: 'b' })
        await lab.take({ sandbox: 'c' })
        await expect(refusal({ owner: 'eve' })).resolves.toEqual(['group_limit'])
        await lab.take({ groups: ['g', 'h'] })
        await expect(refusal({ groups: ['h'] })).resolves.toEqual(['user_limit'])
        await lab.release(first)
        await expect(refusal({ owner: 'eve', arch: 'arm' })).resolves.toBe('granted')
      }),
    )

    test(
      'C3 the oldest idle machine of another sandbox goes when it alone fills the limit, and only one of them',
      inLab(
        factory,
        async (lab) => {
          await lab.ready(5)
          const leases = await Promise.all(['a', 'b'].map((sandbox) => lab.take({ sandbox })))
          for (const lease of leases.toReversed()) {
            lab.now += 1000
            await lab.release(lease)
          }
          const id = await lab.wait({ sandbox: 'c' })
          await expect(lab.state(leases[1]!.vm.name)).resolves.toBe('terminating')
          await expect(lab.state(leases[0]!.vm.name)).resolves.toBe('ready')
          await expect(lab.acquire({ sandbox: 'd' })).resolves.toMatchObject({ outcome: 'unavailable' })
          await expect(lab.state(leases[0]!.vm.name)).resolves.toBe('ready')
          await expect(lab.holds(id)).resolves.toEqual([])
          await lab.store.remove({ name: leases[1]!.vm.name, now: lab.now })
          await expect(lab.holds(id)).resolves.toHaveLength(1)
        },
        { maxPerUser: 2 },
      ),
    )

    test(
      'C3 a limit that machines in use fill ends nothing',
      inLab(
        factory,
        async (lab) => {
          await lab.ready(3)
          const held = await lab.take({ sandbox: 'a' })
          await lab.wait({ sandbox: 'b' })
          await expect(lab.state(held.vm.name)).resolves.toBe('in_use')
          // Given back, it would stand in the way of its own owner for as long as it stays.
          await expect(lab.release(held)).resolves.toBe('terminating')
        },
        { maxPerUser: 1 },
      ),
    )
  })
}
