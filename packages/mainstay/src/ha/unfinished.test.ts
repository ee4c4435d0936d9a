import { describe, expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { silentLogger } from '../core/logging.ts'
import { TaskGroup } from '../core/task-group.ts'
import type { NotificationStatus } from './records/notification.ts'
import { findNotification, insertNotification, setNotificationStatus } from './store/notifications.ts'
import { startHa, type RunningHa } from './testing/start-ha.ts'
import { expireNotifications, retryUnfinished, watchUnfinished, type UnfinishedDeps } from './unfinished.ts'

const NOW = Date.UTC(2026, 0, 10)

async function setUp(): Promise<{
  ha: RunningHa
  clock: ManualClock
  deps: UnfinishedDeps
  started: string[]
  busy: Set<string>
}> {
  const clock = new ManualClock(NOW)
  const ha = await startHa({ clock })
  const started: string[] = []
  const busy = new Set<string>()
  const logger = silentLogger()
  const deps: UnfinishedDeps = {
    store: ha.store,
    clock,
    ids: new SystemIds(),
    logger,
    tasks: new TaskGroup({ clock, logger }),
    recoveryOf: async (_queries, { uuid }) => (busy.has(uuid) ? 'begun' : 'none'),
    startRecovery: async (_queries, { uuid }) => {
      started.push(uuid)
      busy.add(uuid)
      return () => undefined
    },
  }
  return { ha, clock, deps, started, busy }
}

async function store(ha: RunningHa, uuid: string, status: NotificationStatus, ageMs: number): Promise<void> {
  await ha.store.write(async (queries) => {
    const report = { uuid, generatedTime: NOW - ageMs, sourceHostUuid: 'h', type: 'VM', payload: {} } as const
    await insertNotification(queries, { ...report, segmentUuid: 's', idempotencyKey: null }, NOW)
    if (status !== 'new') await setNotificationStatus(queries, uuid, status, { nowMs: NOW })
  })
}

describe('notifications that nobody works on (ha-api 11.4, 11.5)', () => {
  test('takes up errors and old new ones, once', async () => {
    const { ha, deps, started, busy } = await setUp()
    await using _ha = ha
    await store(ha, 'error', 'error', 0)
    await store(ha, 'old', 'new', 60_001)
    await store(ha, 'young', 'new', 60_000)
    await store(ha, 'busy', 'error', 0)
    await store(ha, 'done', 'finished', 100_000)
    busy.add('busy')
    const options = { retryNewAfterMs: 60_000 }
    const taken = await Promise.all([retryUnfinished(deps, options), retryUnfinished(deps, options)])
    expect(taken.reduce((sum, count) => sum + count, 0)).toBe(2)
    expect(started.sort()).toEqual(['error', 'old'])
  })

  test.each([
    ['new', 'failed'],
    ['running', 'failed'],
    ['error', 'failed'],
    ['finished', 'finished'],
    ['ignored', 'ignored'],
  ] as const)('a notification that is %s after a day is then %s', async (before, after) => {
    const { ha, deps } = await setUp()
    await using _ha = ha
    await store(ha, 'old', before, 86_400_001)
    await store(ha, 'young', before, 86_400_000)
    await expireNotifications(deps, { expireAfterMs: 86_400_000 })
    expect((await findNotification(ha.store.read, 'old'))?.status).toBe(after)
    expect((await findNotification(ha.store.read, 'young'))?.status).toBe(before)
  })

  test.each([
    ['none', 'failed'],
    ['queued', 'failed'],
    ['begun', 'running'],
    ['ended', 'failed'],
  ] as const)('a day later, one whose recovery is %s is %s', async (progress, after) => {
    const { ha, deps } = await setUp()
    await using _ha = ha
    await store(ha, 'old', 'running', 86_400_001)
    await expireNotifications({ ...deps, recoveryOf: async () => progress }, { expireAfterMs: 86_400_000 })
    expect((await findNotification(ha.store.read, 'old'))?.status).toBe(after)
  })

  test('both passes run by the clock until the tasks are stopped', async () => {
    const { ha, clock, deps, started } = await setUp()
    await using _ha = ha
    await store(ha, 'old', 'new', 60_001)
    watchUnfinished(deps)
    await clock.advance(120_000)
    await expect.poll(() => started).toEqual(['old'])
    await deps.tasks.stop({ timeoutMs: 1000 })
    expect(deps.tasks.names()).toEqual([])
  })
})
