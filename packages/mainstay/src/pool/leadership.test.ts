import { describe, expect, test } from 'vitest'

import { PoolMemory, openMemoryPool } from './memory/store.ts'
import { labelOptions } from './testing/counts.ts'
import type { PoolPlace } from './testing/lab.ts'
import { PoolRig, type RigProcess } from './testing/rig.ts'
import { twoMasters } from './testing/two-masters.ts'

const leaders = (processes: readonly RigProcess[]): RigProcess[] =>
  processes.filter(({ master }) => master.leadership.term !== null)

describe('C9 one leads, others stand by', () => {
  test('C9 a standby takes over within 10 s of the last sign of life', async () => {
    await using rig = new PoolRig({ labels: [labelOptions({ label: 'g', minReady: 1 })] })
    const first = await rig.process()
    const second = await rig.process()
    await rig.clock.advance(5000)
    expect(leaders([first, second])).toEqual([first])
    first.kill()
    const killed = rig.clock.now()
    await rig.until('the second leads', () => second.master.leadership.term !== null, 10_000, 50)
    expect(rig.clock.now() - killed).toBeLessThanOrEqual(10_000)
    expect(second.master.leadership.term!.fence).toBe(2)
  })

  test('C9 a leader that stops in good order is followed at once', async () => {
    await using rig = new PoolRig()
    const first = await rig.process()
    const second = await rig.process()
    await rig.done(first.master.stop({ timeoutMs: 1000 }))
    await rig.until('the second leads', () => second.master.leadership.term !== null, 2500, 50)
    expect(leaders([first, second])).toEqual([second])
  })

  test('C9 a graceful stop lets running spawns end; what does not end in time is taken up by the next', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', maxSpawns: 0 }],
      labels: [labelOptions({ label: 'g', minReady: 2 })],
      cloud: { latency: { buildMs: 20_000, spread: 0 } },
    })
    const first = await rig.process()
    const second = await rig.process()
    await rig.until('two are being built', async () => (await countOf(first, rig)).building === 2)
    await rig.done(first.master.stop({ timeoutMs: 5000 }))
    expect((await countOf(second, rig)).building, 'nothing was abandoned').toBe(2)
    await rig.until('both are ready', async () => (await countOf(second, rig)).ready === 2, 60_000)
    expect(rig.cloud.machines(), 'and nothing was made twice').toHaveLength(2)
  })

  test('C9 what a master decided before it lost the lead is refused', async () => {
    await using rig = new PoolRig()
    const first = await rig.process()
    const term = first.master.leadership.term!
    // It slept for longer than its lease, and another one leads.
    const store = await rig.open()
    await store.lead({ id: 'other', leaseMs: 60_000, now: rig.clock.now() + 60_000 })
    rig.plan.labels = [labelOptions({ label: 'g', minReady: 1 })]
    await first.master.cycle.run(term)
    expect(first.master.leadership.term, 'it noticed').toBeNull()
    expect((await store.list({ limit: 9 })).vms).toEqual([])
  })

  test('C7 C9 a leader that could not mark its start hands nothing out until it has', async () => {
    await using rig = new PoolRig({ labels: [labelOptions({ label: 'g', minReady: 1 })] })
    const first = await rig.process()
    await rig.until('one is ready', async () => (await countOf(first, rig)).ready === 1)
    first.kill()
    await rig.clock.advance(10_000)
    let failures = 3
    const second = await rig.process('second', (store) => {
      const mark = store.markServerStart.bind(store)
      store.markServerStart = async (input) => {
        failures -= 1
        if (failures >= 0) throw new Error('not now')
        await mark(input)
      }
    })
    await rig.until('it leads', () => second.master.leadership.term !== null, 20_000)
    const started = await second.store.serverStartedAt()
    await rig.until('it has marked its start', async () => (await second.store.serverStartedAt()) !== started, 20_000)
    expect(failures).toBeLessThan(0)
    const free = async (): Promise<number> => (await second.store.counts({ now: rig.clock.now() }))[0]!.free
    await rig.until('one may be handed out again', async () => (await free()) === 1, 20_000)
    const [vm] = (await second.store.list({ limit: 1 })).vms
    expect(vm!.checkPassedAt).toBeGreaterThan((await second.store.serverStartedAt())!)
  })

  test('C9 a step that fails does not keep the others from their turn', async () => {
    await using rig = new PoolRig({
      groups: [{ id: 'g', dirtyTimeoutMs: 1000 }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
    })
    const only = await rig.process()
    await rig.until('one is ready', async () => (await countOf(only, rig)).ready === 1)
    const acquired = await only.manager.acquire({ owner: 'u', worker: 'w' }, { signal: AbortSignal.timeout(9999) })
    const lease = acquired.outcome === 'granted' ? acquired.leases[0]! : undefined
    // Everything about new machines fails from now on; what is dirty for too long goes all the same.
    only.store.requestSpawn = async () => await Promise.reject(new Error('no spawns'))
    await only.manager.release({ name: lease!.vm.name, token: lease!.token })
    await rig.until('it is gone', async () => (await only.store.get(lease!.vm.name)) === null, 60_000)
    expect((await countOf(only, rig)).ready, 'and no other could be made').toBe(0)
  })
})

const memory = async (): Promise<PoolPlace> => {
  const shared = new PoolMemory()
  return { open: async () => openMemoryPool({ memory: shared }), [Symbol.asyncDispose]: async () => {} }
}

twoMasters('memory', memory)

async function countOf({ store }: RigProcess, rig: PoolRig) {
  return (await store.counts({ now: rig.clock.now() }))[0]!.states
}
