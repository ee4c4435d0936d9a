import { describe, expect, test } from 'vitest'

import { labelOptions } from './testing/counts.ts'
import { PoolRig, type RigProcess } from './testing/rig.ts'

const RECONCILE = { periodMs: 5000, graceMs: 5000, settleMs: 1000 }
const LABELS = [labelOptions({ label: 'g', minReady: 3 })]

async function readyNames({ store }: RigProcess): Promise<string[]> {
  return (await store.list({ states: ['ready'], limit: 99 })).vms.map(({ name }) => name).sort()
}

const machines = (rig: PoolRig): string[] =>
  rig.cloud
    .machines()
    .map(({ name }) => name)
    .sort()

async function threeReady(rig: PoolRig): Promise<RigProcess> {
  const process = await rig.process()
  await rig.until('three are ready', async () => (await readyNames(process)).length === 3)
  return process
}

const wish = { owner: 'u', worker: 'w', leaseMs: 3_600_000 }
const signal = (): AbortSignal => AbortSignal.timeout(60_000)

describe('C10 providers that see machines which are not theirs', () => {
  test('C10 two that list one account: what one of them made is not destroyed on the word of the other', async () => {
    await using rig = new PoolRig({
      providers: [{ name: 'zone-a' }, { name: 'zone-b' }],
      labels: LABELS,
      reconcile: RECONCILE,
    })
    const process = await threeReady(rig)
    const acquired = await process.manager.acquire(wish, { signal: signal() })
    await rig.until('it is replaced', async () => (await readyNames(process)).length === 3)
    const before = machines(rig)
    await rig.clock.advance(120_000)
    expect(acquired.outcome).toBe('granted')
    expect(machines(rig)).toEqual(before)
    expect(await process.store.list({ states: ['in_use'], limit: 9 })).toMatchObject({ vms: [{ worker: 'w' }] })
    expect(process.changes.filter(({ kind }) => kind === 'vm.removed')).toEqual([])
  })

  describe('C10 one that is configured under another name after a restart', () => {
    async function renamed() {
      const rig = new PoolRig({ providers: [{ name: 'cmd' }], labels: LABELS, reconcile: RECONCILE })
      const first = await threeReady(rig)
      const [held, ...left] = await readyNames(first)
      await first.operator.hold({ name: held!, forMs: 3_600_000, reason: 'look', by: 'me' })
      await rig.until('it is replaced', async () => (await readyNames(first)).length === 3)
      const before = await readyNames(first)
      first.kill()
      rig.plan.providers = [{ name: 'cmd2' }]
      const second = await rig.process()
      await rig.clock.advance(60_000)
      return {
        rig,
        second,
        held: held!,
        before,
        left,
        [Symbol.asyncDispose]: async () => await rig[Symbol.asyncDispose](),
      }
    }

    test('C10 no machine is destroyed, and none is handed out of which nothing is known', async () => {
      await using scene = await renamed()
      const { rig, second, before, held } = scene
      expect(machines(rig)).toEqual(expect.arrayContaining([...before, held]))
      expect(second.changes.filter(({ kind }) => kind === 'vm.terminating')).toEqual([])
      await expect(second.manager.acquire(wish, { signal: signal() })).rejects.toMatchObject({
        code: 'MS_POOL_UNAVAILABLE',
      })
      await rig.clock.advance(60_000)
      for (const name of before) expect(await second.store.get(name)).toMatchObject({ checkFails: 0 })
    })

    test('C10 under its old name again all is as it was', async () => {
      await using scene = await renamed()
      const { rig, second, before } = scene
      second.kill()
      rig.plan.providers = [{ name: 'cmd' }]
      const third = await rig.process()
      await rig.until('they are checked', async () => {
        const vms = await Promise.all(before.map(async (name) => await third.store.get(name)))
        const startedAt = (await third.store.serverStartedAt()) ?? 0
        return vms.every((vm) => vm?.state === 'ready' && (vm.checkPassedAt ?? 0) > startedAt)
      })
      await expect(third.manager.acquire(wish, { signal: signal() })).resolves.toMatchObject({ outcome: 'granted' })
    })

    test('C10 a deletion with force forgets such a record, in whatever state, and says so', async () => {
      await using scene = await renamed()
      const { rig, second, before, held } = scene
      await second.operator.delete([before[0]!], { force: false, reason: 'first try' })
      await rig.clock.advance(10_000)
      expect(await second.store.get(before[0]!)).toMatchObject({ state: 'terminating' })
      const names = [held, ...before]
      const { refused } = await second.operator.delete(names, { force: true, reason: 'provider is gone' })
      expect(refused).toEqual([])
      expect(await Promise.all(names.map(async (name) => await second.store.get(name)))).toEqual(names.map(() => null))
      await rig.clock.advance(0)
      const ends = second.changes.filter(({ kind, vm }) => kind === 'vm.removed' && names.includes(vm!))
      expect(ends).toHaveLength(names.length)
      expect(new Set(ends.map(({ reason }) => reason))).toEqual(
        new Set(['provider is gone; its provider cmd is not configured, and the machine itself was not destroyed']),
      )
      expect(machines(rig)).toEqual(expect.arrayContaining(names))
    })
  })
})
