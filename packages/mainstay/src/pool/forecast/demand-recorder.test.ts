import { expect, test } from 'vitest'

import type { PoolChange } from '../change.ts'
import { openMemoryPool } from '../memory/store.ts'
import { groupRules } from '../options.ts'
import { labelOptions } from '../testing/counts.ts'
import { DemandRecorder } from './demand-recorder.ts'

const MONDAY = Date.UTC(2026, 10, 23)
const HOUR_MS = 3_600_000
const labels = [
  labelOptions({ label: 'linux', minReady: 1, maxReady: 20 }),
  labelOptions({ label: 'other', minReady: 1 }),
]
const groups = [groupRules({ id: 'g', labels: ['linux'] })]

const acquired = (at: number): PoolChange => ({
  id: String(at),
  kind: 'vm.acquired',
  at,
  vm: 'vm',
  group: 'g',
  from: 'ready',
  to: 'in_use',
  ip: null,
  owner: 'u',
  taskId: null,
  requestId: null,
  worker: 'w',
  reason: null,
})

test('C13 what is handed out each Monday at eight is recommended for the next, also after a restart; nothing acts on it', async () => {
  await using store = openMemoryPool()
  const before = new DemandRecorder()
  for (let week = 0; week < 4; week += 1) {
    for (let minute = 0; minute < 120; minute += 1) {
      before.observe(acquired(MONDAY + week * 7 * 24 * HOUR_MS + 8 * HOUR_MS + minute * 60_000), labels, groups)
    }
  }
  await before.save(store)
  const after = new DemandRecorder()
  await after.load(store, labels)
  const eight = MONDAY + 4 * 7 * 24 * HOUR_MS + 8 * HOUR_MS
  const { linux, other } = after.forecast(labels, eight)
  expect(linux?.expected).toBeGreaterThan(2)
  expect(linux?.idle).toBeGreaterThan(5)
  expect(linux?.idle).toBeLessThanOrEqual(20)
  expect(other).toMatchObject({ idle: 1, expected: null })
  expect(after.forecast(labels, eight + 10 * HOUR_MS)['linux']?.idle, 'in the evening').toBe(1)
})

test('C13 a profile that is no profile is learnt anew', async () => {
  await using store = openMemoryPool()
  await store.writeInfo('label linux', 'demand_profile', '{"expected":[1,2,3]}')
  const recorder = new DemandRecorder()
  await recorder.load(store, labels)
  expect(recorder.forecast(labels, MONDAY)['linux']).toMatchObject({ idle: 1, expected: null })
})
