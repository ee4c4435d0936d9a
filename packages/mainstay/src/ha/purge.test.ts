import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { purge } from './purge.ts'
import { insertHost, deleteHost } from './store/hosts.ts'
import { insertNotification, setNotificationStatus } from './store/notifications.ts'
import { deleteSegment, insertSegment } from './store/segments.ts'
import { createVmoves } from './store/vmoves.ts'
import { startHa, type RunningHa } from './testing/start-ha.ts'

const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 5, 1)

let ha: RunningHa

beforeEach(async () => {
  ha = await startHa({ clock: new ManualClock(NOW) })
  await ha.store.write(async (queries) => {
    const segment = { name: 's', serviceType: 'x', recoveryMethod: 'auto', description: null, enabled: true } as const
    const host = { name: 'h', type: 'x', controlAttributes: '', reserved: false, onMaintenance: false }
    for (const [index, age] of [40, 40, 10].entries()) {
      const uuid = `segment-${index}`
      const made = await insertSegment(queries, { ...segment, uuid, name: uuid }, 0)
      await insertHost(queries, { ...host, uuid: `host-${index}`, name: uuid, segmentUuid: uuid }, 0)
      await deleteSegment(queries, made, NOW - age * DAY_MS)
    }
    const alive = await insertSegment(queries, { ...segment, uuid: 'alive' }, 0)
    const gone = await insertHost(queries, { ...host, uuid: 'gone', segmentUuid: alive.uuid }, 0)
    await deleteHost(queries, gone, NOW - 31 * DAY_MS)
    for (const [index, [status, age]] of (
      [
        ['finished', 40],
        ['failed', 10],
        ['running', 40],
      ] as const
    ).entries()) {
      const uuid = `notification-${index}`
      const report = { uuid, generatedTime: 0, sourceHostUuid: 'gone', type: 'VM', payload: {} } as const
      await insertNotification(queries, { ...report, segmentUuid: 'alive', idempotencyKey: null }, 0)
      await setNotificationStatus(queries, uuid, status, { nowMs: NOW - age * DAY_MS })
      const move = { uuid: `move-${index}`, notificationUuid: uuid, instanceUuid: 'i', instanceName: 'i' }
      await createVmoves(queries, [{ ...move, sourceHost: 'h' }], 0)
    }
  })
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

describe('purge (ha-api 22)', () => {
  test('removes what was deleted or has ended longer ago than the age, and nothing else', async () => {
    const removed = await purge(ha.store, { ageInDays: 30, maxRows: -1, nowMs: NOW })
    expect(removed).toEqual({ vmoves: 1, notifications: 1, hosts: 3, failover_segments: 2 })
    const left = await ha.store.read.selectFrom('failover_segments').select('uuid').orderBy('uuid').execute()
    expect(left.map(({ uuid }) => uuid)).toEqual(['alive', 'segment-2'])
  })

  test('never removes more rows than allowed, children first', async () => {
    const removed = await purge(ha.store, { ageInDays: 30, maxRows: 4, nowMs: NOW })
    expect(removed).toEqual({ vmoves: 1, notifications: 1, hosts: 2, failover_segments: 0 })
  })

  test('a dry run counts and removes nothing', async () => {
    const options = { ageInDays: 30, maxRows: -1, nowMs: NOW }
    const counted = await purge(ha.store, { ...options, dryRun: true })
    expect(counted).toEqual({ vmoves: 1, notifications: 1, hosts: 3, failover_segments: 0 })
    expect((await purge(ha.store, options)).hosts).toBe(3)
  })

  test.each([
    [{ maxRows: 0, ageInDays: 30 }, /max_rows is 0/],
    [{ maxRows: -2, ageInDays: 30 }, /max_rows is -2/],
    [{ maxRows: -1, ageInDays: -1 }, /age_in_days is -1/],
    [{ maxRows: -1, ageInDays: 999_999 }, /less than 20605/],
  ])('%j is refused', async (options, message) => {
    await expect(purge(ha.store, { ...options, nowMs: NOW })).rejects.toThrow(message)
  })
})
