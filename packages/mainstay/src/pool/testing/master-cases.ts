import { describe, expect, test } from 'vitest'

import { PoolMasterFencedError, VmStateError } from '../errors.ts'
import { PATIENCE_MS, inLab, type PoolFactory } from './lab.ts'

/** Who leads, and what can be looked at. */
export function masterCases(name: string, factory: PoolFactory): void {
  describe(`${name}: masters`, { timeout: PATIENCE_MS }, () => {
    test(
      'C9 one leads; a lease that ran out or was given up is taken over with a higher number',
      inLab(factory, async (lab) => {
        const lead = async (id: string) => await lab.store.lead({ id, leaseMs: 10_000, now: lab.now })
        await expect(lead('a')).resolves.toEqual({ leads: true, leader: 'a', fence: 1, until: lab.now + 10_000 })
        lab.now += 10_000
        await expect(lead('b')).resolves.toMatchObject({ leads: false, leader: 'a', fence: 1 })
        lab.now += 1
        await expect(lead('b')).resolves.toMatchObject({ leads: true, leader: 'b', fence: 2 })
        await expect(lead('a')).resolves.toMatchObject({ leads: false, leader: 'b' })
        await expect(lead('b')).resolves.toMatchObject({ leads: true, fence: 2 })
        await lab.store.resign({ id: 'a', now: lab.now })
        await expect(lead('a')).resolves.toMatchObject({ leads: false })
        await lab.store.resign({ id: 'b', now: lab.now })
        await expect(lead('a')).resolves.toMatchObject({ leads: true, fence: 3 })
      }),
    )

    test(
      'C9 what a master writes after another one took over is refused, whole',
      inLab(factory, async (lab) => {
        const names = await lab.ready(2)
        const { fence: old } = await lab.store.lead({ id: 'a', leaseMs: 1, now: lab.now })
        lab.now += 2
        const { fence } = await lab.store.lead({ id: 'b', leaseMs: 1, now: lab.now })
        const stale = { now: lab.now, fence: old }
        const { store } = lab
        const writes = [
          store.requestSpawn({ ...stale, name: 'n', group: 'g', provider: 'p' }),
          store.terminate({ names, by: { fence: old }, reason: 'r', now: lab.now }),
          store.startChecks({ ...stale, checks: [{ name: names[0]!, nextCheckAt: 0 }] }),
          store.reclaim({ ...stale, names }),
          store.standBy({ ...stale, name: names[0]! }),
          store.lost({ ...stale, name: names[0]!, reason: 'r' }),
          store.markServerStart(stale),
          store.expireRequests({ ...stale, limit: 1 }),
          store.configure({ ...(await store.configuration()), groups: [] }, stale),
        ]
        for (const result of await Promise.allSettled(writes)) {
          expect(result).toMatchObject({ status: 'rejected', reason: expect.any(PoolMasterFencedError) as unknown })
        }
        await expect(store.list({ limit: 10 })).resolves.toMatchObject({
          vms: names.map((each) => ({ name: each, state: 'ready' })),
        })
        await store.terminate({ names, by: { fence }, reason: 'r', now: lab.now })
        await expect(lab.state(names[0]!)).resolves.toBe('terminating')
      }),
    )

    test(
      'C9 two masters that take turns for 1,000 cycles never exceed a limit; a paused one does no harm',
      inLab(factory, async (lab) => {
        const { store } = lab
        await lab.configure([{ id: 'g', maxTotal: 5, maxPerUser: 2, maxSpawns: 3 }])
        const cycles = 1000
        const led = { a: 0, b: 0, refused: 0, fence: 0 }
        const fences = { a: -1, b: -1 }
        const most = { active: 0 }
        const act = async (id: 'a' | 'b', cycle: number): Promise<void> => {
          // Now and then one is paused for longer than its lease, and goes on as if it had it still.
          const paused = Math.floor(cycle / 20) % 2 === (id === 'a' ? 0 : 1)
          if (!paused) {
            const { leads, fence } = await store.lead({ id, leaseMs: 500, now: lab.now })
            if (!leads) return
            led[id] += 1
            fences[id] = fence
            led.fence = Math.max(led.fence, fence)
          }
          const by = { fence: fences[id], now: lab.now }
          const name = `${id}-${cycle}`
          try {
            await store.requestSpawn({ ...by, name, group: 'g', provider: 'p', ignoreRate: cycle % 7 === 0 })
            const { vms } = await store.list({ states: ['requested', 'got_ip'], limit: 10 })
            const [first] = vms
            if (first?.state === 'requested') await store.spawned({ name: first.name, ip: '10.0.0.1', now: lab.now })
            const oldest = vms.find(({ state }) => state === 'got_ip')
            const ending = { names: oldest === undefined ? [] : [oldest.name], by: { fence: by.fence }, reason: 'test' }
            if (cycle % 3 === 0) await store.terminate({ ...ending, now: lab.now })
          } catch (error) {
            if (!(error instanceof PoolMasterFencedError) && !(error instanceof VmStateError)) throw error
            led.refused += 1
          }
        }
        for (let cycle = 0; cycle < cycles; cycle += 1) {
          await Promise.all([act('a', cycle), act('b', cycle)])
          const [counts] = await store.counts({ now: lab.now })
          const { terminating, stuck: _stuck, ...active } = counts!.states
          most.active = Math.max(
            most.active,
            Object.values(active).reduce((sum, count) => sum + count, 0),
          )
          if (terminating > 0) {
            const { vms } = await store.list({ states: ['terminating'], limit: 10 })
            for (const vm of vms) await store.remove({ name: vm.name, now: lab.now })
          }
          lab.now += 100
        }
        expect(most.active).toBe(5)
        expect(led.a).toBeGreaterThan(0)
        expect(led.b).toBeGreaterThan(0)
        expect(led.fence).toBeGreaterThan(3)
        expect(led.refused).toBeGreaterThan(0)
      }),
    )
  })

  describe(`${name}: looking`, { timeout: PATIENCE_MS }, () => {
    test(
      'lists in pages, by group and state, and counts from the indexes',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g' }, { id: 'h' }])
        const g = await lab.ready(7)
        const h = await lab.ready(3, 'h')
        await lab.take({ owner: 'bob' })
        await lab.take({ owner: 'bob', groups: ['h'] })
        const names: string[] = []
        let cursor: string | null = null
        do {
          const page = await lab.store.list({ limit: 4, cursor })
          names.push(...page.vms.map((vm) => vm.name))
          cursor = page.cursor
        } while (cursor !== null)
        expect(names).toEqual([...g, ...h])
        const ready = await lab.store.list({ group: 'h', states: ['ready'], limit: 10 })
        expect(ready.vms.map((vm) => vm.group)).toEqual(['h', 'h'])
        await expect(lab.store.counts({ now: lab.now })).resolves.toMatchObject([
          { group: 'g', states: { ready: 6, in_use: 1, got_ip: 0 }, free: 6, clean: 6, waiting: 0 },
          { group: 'h', states: { ready: 2, in_use: 1 }, free: 2 },
        ])
        await expect(lab.store.usage(['bob', 'eve'])).resolves.toEqual([
          { owner: 'bob', held: 2, bound: { g: 1, h: 1 } },
          { owner: 'eve', held: 0, bound: {} },
        ])
        await expect(lab.store.getMany([g[1]!, 'nobody', g[0]!])).resolves.toMatchObject([
          { name: g[1] },
          { name: g[0] },
        ])
      }),
    )

    test(
      'A5.5 remembers single facts of a group as text',
      inLab(factory, async (lab) => {
        await expect(lab.store.readInfo('g', 'k')).resolves.toBeNull()
        await lab.store.writeInfo('g', 'k', '12.5')
        await lab.store.writeInfo('g', 'k', '0')
        await expect(lab.store.readInfo('g', 'k')).resolves.toBe('0')
        await expect(lab.store.readInfo('h', 'k')).resolves.toBeNull()
      }),
    )

    test(
      'C2 what is due comes in order and in batches, and nothing else',
      inLab(factory, async (lab) => {
        const names = await lab.ready(5)
        await lab.store.recheck({ names: [names[3]!], now: lab.now })
        lab.now += 10
        await lab.store.recheck({ names: [names[1]!], now: lab.now })
        await expect(lab.store.nextDue()).resolves.toBe(lab.now - 10)
        const due = await lab.store.due({ now: lab.now, limit: 1 })
        expect(due).toMatchObject({ vms: [{ vm: { name: names[3] }, kinds: ['check'] }], more: true })
        const all = await lab.store.due({ now: lab.now, limit: 5 })
        expect(all).toMatchObject({ vms: [{ vm: { name: names[3] } }, { vm: { name: names[1] } }], more: false })
      }),
    )

    test(
      'every change is told to those who watch, also in another process, once and in order',
      inLab(factory, async (lab) => {
        await using other = await lab.place.open()
        const stopping = new AbortController()
        const seen: string[] = []
        const watching = (async () => {
          for await (const news of lab.store.changes({ signal: stopping.signal })) {
            if (news.kind === 'change') seen.push(`${news.change.kind} ${news.change.from} ${news.change.to}`)
          }
        })()
        const told = await lab.store.requestSpawn({ name: 'n', group: 'g', provider: 'p', now: lab.now, fence: null })
        expect(told.changes).toMatchObject([{ kind: 'vm.requested', vm: 'n', group: 'g', from: null, to: 'requested' }])
        if (lab.store.kind === 'redis')
          await other.building({ name: 'n', provider: 'p', providerId: null, now: lab.now })
        else await lab.store.building({ name: 'n', provider: 'p', providerId: null, now: lab.now })
        await lab.store.spawnFailed({ name: 'n', reason: 'r', destroy: false, now: lab.now })
        await expect
          .poll(() => seen, { timeout: 20_000 })
          .toEqual([
            'vm.requested null requested',
            'vm.building requested building',
            'vm.spawn_failed building null',
            'vm.removed building null',
          ])
        stopping.abort()
        await watching
      }),
    )
  })
}
