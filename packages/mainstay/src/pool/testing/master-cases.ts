import { describe, expect, test } from 'vitest'

import { PoolMasterFencedError } from '../errors.ts'
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
