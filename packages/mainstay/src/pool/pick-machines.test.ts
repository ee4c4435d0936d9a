import { describe, expect, test } from 'vitest'

import { newDescriptor, type VmDescriptor } from './descriptor.ts'
import { openMemoryPool } from './memory/store.ts'
import { evictable, findMachines, shed, spareClean } from './pick-machines.ts'

const vm = (name: string, fields: Partial<VmDescriptor> = {}): VmDescriptor =>
  newDescriptor({ name, group: 'g', state: 'ready', createdAt: 0, ...fields })
const names = (vms: readonly VmDescriptor[]): string[] => vms.map(({ name }) => name)

describe('C20 who goes when a group is above its maximum', () => {
  const machines = [
    vm('used', { state: 'in_use', boundToUser: 'u' }),
    vm('dirty', { boundToUser: 'u' }),
    vm('clean'),
    vm('broken', { state: 'check_health_failed' }),
    vm('new', { state: 'building' }),
    vm('held', { state: 'held' }),
    vm('gone', { state: 'terminating' }),
  ]

  test.each([
    [1, ['new'], []],
    [2, ['new', 'broken'], []],
    [4, ['new', 'broken', 'clean', 'dirty'], []],
    [5, ['new', 'broken', 'clean', 'dirty'], ['used']],
    [99, ['new', 'broken', 'clean', 'dirty'], ['used']],
  ])('C20 of %i too many: %j end, %j are drained', (count, end, drain) => {
    const chosen = shed(machines, count)
    expect([names(chosen.end), names(chosen.drain)]).toEqual([end, drain])
  })

  test('C20 those that are on their way out already count', () => {
    const draining = vm('leaving', { state: 'in_use', drain: 'terminate' })
    expect(names(shed([draining, vm('clean')], 1).end)).toEqual([])
    expect(names(shed([draining, vm('clean')], 2).end)).toEqual(['clean'])
  })
})

test('C8 the most used and the oldest are spared first', () => {
  const machines = [vm('young', { createdAt: 9 }), vm('old', { createdAt: 1 }), vm('worn', { uses: 3, createdAt: 9 })]
  expect(names(spareClean(machines, 2))).toEqual(['worn', 'old'])
})

test('C8 idle dirty machines go after their time, the longest idle first', () => {
  const machines = [
    vm('recent', { boundToUser: 'u', lastRelease: 900 }),
    vm('long', { boundToUser: 'u', lastRelease: 100 }),
    vm('longer', { boundToUser: 'u', lastRelease: 50 }),
    vm('clean', { lastRelease: 1 }),
  ]
  expect(names(evictable(machines, 1000, 500))).toEqual(['longer', 'long'])
})

test('C2 a search reads no further than it has to', async () => {
  await using store = openMemoryPool()
  await store.configure({ pool: (await store.configuration()).pool, groups: [] }, { fence: null })
  let pages = 0
  const counting = { ...store, list: async (query: Parameters<typeof store.list>[0]) => await fakePage(query) }
  async function fakePage({ cursor }: Parameters<typeof store.list>[0]) {
    pages += 1
    const first = Number(cursor ?? 0)
    const vms = Array.from({ length: 200 }, (_, index) => vm(`vm-${first + index}`))
    return { vms, cursor: String(first + 200) }
  }
  expect(await findMachines(counting, { group: 'g', states: ['ready'] }, 250)).toHaveLength(400)
  expect(pages).toBe(2)
})
