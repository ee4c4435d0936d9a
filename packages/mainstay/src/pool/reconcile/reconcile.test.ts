import { describe, expect, onTestFinished, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { openMemoryPool } from '../memory/store.ts'
import { groupRules, poolRules } from '../options.ts'
import type { MachineTags, Provider } from '../provider/provider.ts'
import { SimulatedCloud, SimulatedProvider } from '../provider/simulated/index.ts'
import { driven } from '../provider/simulated/testing/driven.ts'
import type { PoolStore } from '../store.ts'
import type { VmState } from '../state.ts'
import type { ReconcileOptions } from './options.ts'
import { reconcile, type ReconcileReport, type ReconcileRun } from './reconcile.ts'

const OLD_MS = 3_600_000

/** A pool in memory over a simulated cloud. */
async function lab() {
  const clock = new ManualClock()
  const store: PoolStore = openMemoryPool()
  onTestFinished(async () => await store[Symbol.asyncDispose]())
  await store.configure({ pool: poolRules(), groups: [groupRules({ id: 'g', maxTotal: 0 })] }, { fence: null })
  const cloud = new SimulatedCloud({ clock, resources: ['volume', 'address'] })
  const provider = new SimulatedProvider({ name: 'sim', installation: 'ours', cloud })
  /** Those that are asked; `provider` alone unless a test says otherwise. */
  const providers: Provider[] = [provider]
  const tags = (vmName: string, change: Partial<MachineTags> = {}): MachineTags => {
    return { installation: 'ours', pool: 'g', vmName, createdAt: clock.now(), ...change }
  }
  /** A machine with its record. */
  async function known(name: string): Promise<void> {
    const { id, address } = cloud.add({ name, tags: tags(name) })
    const record = { name, group: 'g', ip: address, provider: 'sim', providerId: id }
    await store.addVm({ ...record, now: clock.now(), fence: null })
  }
  async function run(
    options: Partial<ReconcileOptions> = {},
    how: Partial<ReconcileRun> = {},
  ): Promise<ReconcileReport> {
    const parts = { store, clock, options, providers }
    return await driven(clock, reconcile(parts, { signal: new AbortController().signal, fence: null, ...how }))
  }
  const names = (): string[] => cloud.machines().map(({ name }) => name)
  const records = async (): Promise<Record<string, VmState>> => {
    const { vms } = await store.list({ limit: 1000 })
    return Object.fromEntries(vms.map(({ name, state }) => [name, state]))
  }
  return { clock, store, cloud, provider, providers, tags, known, run, names, records }
}

const times = (count: number, prefix: string) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

/** What was carried out, and how it went. */
function outcomes({ carriedOut }: ReconcileReport): string[] {
  return carriedOut.map(({ decision, outcome, because }) => {
    return [decision.decide, outcome, ...(because === null ? [] : [because])].join(': ')
  })
}

describe('a pass over records and machines (C10)', () => {
  test('C10 of 5 unknown, 3 vanished, 2 in error and 10 foreign machines exactly the right ones go', async () => {
    const { clock, cloud, tags, known, run, names, records } = await lab()
    for (const name of [...times(4, 'good'), ...times(3, 'vanished'), ...times(2, 'broken')]) await known(name)
    for (const name of times(5, 'unknown')) cloud.add({ name, tags: tags(name) })
    for (const name of times(5, 'foreign')) cloud.add({ name })
    for (const name of times(5, 'neighbour')) cloud.add({ name, tags: tags(name, { installation: 'theirs' }) })
    await clock.advance(OLD_MS)
    cloud.add({ name: 'young', tags: tags('young') })
    for (const name of times(3, 'vanished')) cloud.remove(cloud.byName(name)[0]!)
    for (const name of times(2, 'broken')) cloud.become(cloud.byName(name)[0]!, 'error', 'error', 0)

    const report = await run()

    expect(names().sort()).toEqual(
      [...times(2, 'broken'), ...times(5, 'foreign'), ...times(4, 'good'), ...times(5, 'neighbour'), 'young'].sort(),
    )
    const left = { 'good-0': 'got_ip', 'good-1': 'got_ip', 'good-2': 'got_ip', 'good-3': 'got_ip' }
    expect(await records()).toEqual({ ...left, 'broken-0': 'terminating', 'broken-1': 'terminating' })
    expect(report.carriedOut.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 10 }, () => 'done'))
    expect(cloud.resources().filter(({ name }) => name.startsWith('unknown'))).toEqual([])
    // The two in error go by way of the pool, which destroys what is terminating; the next pass finds nothing more.
    expect((await run()).carriedOut).toEqual([])
  })

  test.each(['transient', 'authentication', 'rate_limit', 'hang'] as const)(
    'C10 an empty list because of an error (%s) deletes no records',
    async (fault) => {
      const { clock, cloud, known, run, records } = await lab()
      for (const name of times(5, 'vm')) await known(name)
      await clock.advance(OLD_MS)
      for (const machine of cloud.machines()) cloud.remove(machine)
      cloud.faults.order('list', fault)
      const report = await run()
      expect(report.decisions).toMatchObject([{ decide: 'skip_provider', provider: 'sim' }])
      expect(Object.keys(await records())).toHaveLength(5)
    },
  )

  test.each(['lie', 'partial'] as const)(
    'C10 a provider that lies about its list (%s) loses no machine: each is asked for by itself',
    async (fault) => {
      const { clock, cloud, known, run, records } = await lab()
      for (const name of times(5, 'vm')) await known(name)
      await clock.advance(OLD_MS)
      cloud.faults.order('list', fault)
      const report = await run()
      const contradicted = 'lost: not_needed: its provider did not list it, but describes it: running'
      expect(new Set(outcomes(report))).toEqual(new Set([contradicted]))
      expect(Object.keys(await records())).toHaveLength(5)
    },
  )

  test('C10 a list that still shows what is gone destroys nothing', async () => {
    const { clock, cloud, tags, run } = await lab()
    cloud.remove(cloud.add({ name: 'gone', tags: tags('gone') }))
    await clock.advance(OLD_MS)
    cloud.faults.order('list', 'stale')
    expect(outcomes(await run())).toEqual(['destroy_machine: not_needed: it is gone by now'])
  })

  test('an empty list that even the single questions confirm loses no more than allowed', async () => {
    const { clock, cloud, known, run, records } = await lab()
    for (const name of times(40, 'vm')) await known(name)
    await clock.advance(OLD_MS)
    for (const machine of cloud.machines()) cloud.remove(machine)
    const held = await run()
    expect(held.decisions).toMatchObject([{ decide: 'hold_back', what: 'lost machines', limit: 10 }])
    expect(Object.keys(await records())).toHaveLength(40)
    await run({}, { confirmed: new Set(times(40, 'vm')) })
    expect(await records()).toEqual({})
  })

  test('the worker of a lost machine is told', async () => {
    const { clock, store, cloud, known, run } = await lab()
    await known('vm-1')
    await clock.advance(OLD_MS)
    const stop = new AbortController()
    const news = store.changes({ signal: stop.signal })[Symbol.asyncIterator]()
    const told = news.next()
    cloud.remove(cloud.byName('vm-1')[0]!)
    await run()
    expect((await told).value).toMatchObject({ change: { kind: 'vm.removed', vm: 'vm-1' } })
    stop.abort()
  })

  test('what was to be destroyed and is gone is forgotten', async () => {
    const { clock, store, cloud, known, run, records } = await lab()
    await known('vm-1')
    const by = { operator: true, force: true } as const
    await store.terminate({ names: ['vm-1'], by, reason: 'for a test', now: clock.now() })
    await clock.advance(OLD_MS)
    expect(outcomes(await run())).toEqual([])
    cloud.remove(cloud.byName('vm-1')[0]!)
    expect(outcomes(await run())).toEqual(['gone: done'])
    expect(await records()).toEqual({})
  })

  test('volumes and addresses that outlived their machine go', async () => {
    const { clock, cloud, known, tags, run } = await lab()
    await known('vm-1')
    cloud.remove(cloud.add({ name: 'left', tags: tags('left') }), { withResources: false })
    await clock.advance(OLD_MS)
    expect(outcomes(await run())).toEqual(['destroy_resource: done', 'destroy_resource: done'])
    expect(cloud.resources().map(({ name }) => name)).toEqual(['vm-1', 'vm-1'])
  })

  test('one failure does not stop the others, and is tried again', async () => {
    const { clock, cloud, tags, run, names } = await lab()
    for (const name of times(3, 'leak')) cloud.add({ name, tags: tags(name) })
    await clock.advance(OLD_MS)
    cloud.faults.order('destroy', 'transient', { machine: 'leak-1' })
    expect(outcomes(await run()).sort()).toEqual([
      'destroy_machine: done',
      'destroy_machine: done',
      expect.stringContaining('destroy_machine: failed: Provider sim refuses'),
    ])
    expect(names()).toEqual(['leak-1'])
    expect(outcomes(await run())).toEqual(['destroy_machine: done'])
  })

  test('a machine that becomes known between the list and the act is left', async () => {
    const { clock, store, cloud, tags, run, names } = await lab()
    const { id, address } = cloud.add({ name: 'late', tags: tags('late') })
    await clock.advance(OLD_MS)
    const adopting = run()
    const record = { name: 'late', group: 'g', ip: address, provider: 'sim', providerId: id }
    await store.addVm({ ...record, now: clock.now(), fence: null })
    expect(outcomes(await adopting)).toEqual(['destroy_machine: not_needed: a record knows it by now'])
    expect(names()).toEqual(['late'])
  })

  test('C10 a machine of another provider is left, also when that provider is gone by the time of the act', async () => {
    const { clock, store, cloud, providers, tags, known, run, names } = await lab()
    await known('vm-1')
    const elsewhere = new SimulatedCloud({ clock, seed: 7 })
    providers.push(new SimulatedProvider({ name: 'other', installation: 'ours', cloud: elsewhere }))
    const own = elsewhere.add({ name: 'vm-2', tags: tags('vm-2') })
    const record = { name: 'vm-2', group: 'g', ip: '10.9.9.9', provider: 'other', providerId: own.id }
    await store.addVm({ ...record, now: clock.now(), fence: null })
    cloud.add({ name: 'vm-2', tags: tags('vm-2') })
    await clock.advance(OLD_MS)
    // Listed, but not there any more when it is asked for.
    elsewhere.remove(own)
    elsewhere.faults.order('list', 'stale')
    const became = outcomes(await run())
    const because = 'its record is of provider other, which does not show that it means another machine'
    expect(became).toContain(`destroy_machine: not_needed: ${because}`)
    expect(names().sort()).toEqual(['vm-1', 'vm-2'])
  })

  test('a dry run decides and does nothing', async () => {
    const { clock, cloud, tags, run, names } = await lab()
    cloud.add({ name: 'leak', tags: tags('leak') })
    await clock.advance(OLD_MS)
    const report = await run({}, { dryRun: true })
    expect(report).toMatchObject({ decisions: [{ decide: 'destroy_machine' }], carriedOut: [] })
    expect(names()).toEqual(['leak'])
  })

  test('report mode tells of leaks and leaves them', async () => {
    const { clock, cloud, tags, run, names } = await lab()
    cloud.add({ name: 'leak', tags: tags('leak') })
    cloud.addResource({ kind: 'volume', providerId: 'left', name: 'left', tags: tags('left') })
    await clock.advance(OLD_MS)
    const report = await run({ mode: 'report' })
    expect(report.decisions).toMatchObject([{ decide: 'report_machine' }, { decide: 'report_resource' }])
    expect(report.carriedOut).toEqual([])
    expect([names(), cloud.resources()]).toMatchObject([['leak'], [{}, {}, { name: 'left' }]])
  })

  test('ends with the reason of its signal, in the middle of a question', async () => {
    const { clock, cloud, provider, store } = await lab()
    cloud.faults.order('list', 'hang')
    const controller = new AbortController()
    const running = reconcile({ store, clock, providers: [provider] }, { signal: controller.signal, fence: null })
    const reason = new RangeError('shutdown')
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
  })
})
