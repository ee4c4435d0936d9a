import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { createVmoves, updateVmove } from '../store/vmoves.ts'
import {
  FAILURE,
  NOBODY,
  addHost,
  addNotification,
  addSegment,
  column,
  member,
  setStatus,
  textOf,
} from '../testing/fill.ts'
import { startHa, type RunningHa } from '../testing/start-ha.ts'

const NOW = Date.UTC(2026, 0, 1, 1)
const VM = {
  type: 'VM',
  payload: { event: 'LIFECYCLE', instance_uuid: NOBODY, vir_domain_event: 'STOPPED_FAILED' },
}
const PROCESS = { type: 'PROCESS', payload: { event: 'STOPPED', process_name: 'nova-compute' } }

let ha: RunningHa
let segment: string
let host: string

beforeEach(async () => {
  ha = await startHa({
    clock: new ManualClock(NOW),
    deps: {
      readProgress: async () => [
        {
          name: 'StopInstanceTask',
          progress: 1,
          state: 'SUCCESS',
          steps: [
            { at: Date.UTC(2026, 0, 1, 0, 0, 0, 123), progress: 0, message: 'begun' },
            { at: Date.UTC(2026, 0, 1, 0, 0, 1), progress: 0.25, message: 'on the way' },
          ],
        },
      ],
    },
  })
  segment = await addSegment(ha)
  host = await addHost(ha, segment)
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

async function report(more: object): Promise<number> {
  return (await ha.send('POST', '/v1/notifications', { body: { notification: { ...FAILURE, ...more } } })).status
}

describe('accepting a report (ha-api 8.3)', () => {
  test.each([
    ['COMPUTE_HOST', {}],
    ['VM', VM],
    ['PROCESS', PROCESS],
  ])('a host on maintenance sends no report of type %s', async (_type, given) => {
    await ha.send('PUT', `/v1/segments/${segment}/hosts/${host}`, { body: { host: { on_maintenance: true } } })
    expect(await report(given)).toBe(409)
    expect((await ha.send('GET', '/v1/notifications')).json).toEqual({ notifications: [] })
    expect(ha.recoveries).toEqual([])
  })

  test.each([['compute2'], ['Compute1'], ['compute1.']])('the host %s is not known: 400', async (hostname) => {
    expect(await report({ hostname })).toBe(400)
  })

  test('the host of a deleted segment is not known', async () => {
    await ha.send('DELETE', `/v1/segments/${segment}`)
    expect(await report({})).toBe(400)
  })

  test.each([
    ['the same', {}, 409],
    ['180 s later', { generated_time: '2026-01-01T00:03:00' }, 409],
    ['181 s later', { generated_time: '2026-01-01T00:03:01' }, 202],
    ['however long before', { generated_time: '2020-01-01T00:00:00' }, 409],
    [
      'the same with another order of members',
      { payload: Object.fromEntries(Object.entries(FAILURE.payload).toReversed()) },
      409,
    ],
    ['with another member', { payload: { event: 'STOPPED', host_status: 'NORMAL' } }, 202],
    ['with another value', { payload: { ...FAILURE.payload, event: 'STARTED' } }, 202],
    ['of another type', PROCESS, 202],
    ['of another host', { hostname: 'compute2' }, 202],
  ])('after a report, one that is %s', async (_what, given, status) => {
    await addHost(ha, segment, { name: 'compute2' })
    await addNotification(ha)
    expect(await report(given)).toBe(status)
  })

  test.each(['new', 'running', 'error', 'failed', 'finished', 'ignored'] as const)(
    'a duplicate of one that is %s is a duplicate',
    async (status) => {
      await setStatus(ha, await addNotification(ha), status)
      expect(await report({})).toBe(409)
    },
  )

  test('the interval of duplicates can be configured', async () => {
    await using strict = await startHa({ store: ha.store, options: { duplicateIntervalMs: 0 } })
    await addNotification(ha)
    const later = { ...FAILURE, generated_time: '2026-01-01T00:00:00.001' }
    expect((await strict.send('POST', '/v1/notifications', { body: { notification: later } })).status).toBe(202)
    expect((await strict.send('POST', '/v1/notifications', { body: { notification: FAILURE } })).status).toBe(409)
  })

  test('a report of a disabled segment is taken all the same', async () => {
    await ha.send('PUT', `/v1/segments/${segment}`, { version: '1.2', body: { segment: { enabled: false } } })
    expect(await report({})).toBe(202)
  })

  test.each([
    ['2026-01-01', '2026-01-01T00:00:00.000000'],
    ['2026-01-01 10:20', '2026-01-01T10:20:00.000000'],
    ['20260101T102030Z', '2026-01-01T10:20:30.000000'],
    ['2026-01-01T00:00:00+02:00', '2025-12-31T22:00:00.000000'],
    ['2026-01-01T00:00:00.5-01:30', '2026-01-01T01:30:00.500000'],
  ])('generated_time %s is kept as %s', async (generated_time, shown) => {
    const answer = await ha.send('POST', '/v1/notifications', {
      body: { notification: { ...FAILURE, generated_time } },
    })
    expect(member(answer.json, 'notification')['generated_time']).toBe(shown)
  })

  test.each(['9999-12-31T23:59:59-12:00', '0001-01-01T00:00:00+12:00', '0000-01-01'])(
    'generated_time %s, which is outside the years 1 to 9999 in UTC, is refused (5.2)',
    async (generated_time) => {
      expect(await report({ generated_time })).toBe(400)
    },
  )

  test('a payload that does not fit its type is refused after the policy', async () => {
    const wrong = { ...FAILURE, type: 'VM' }
    expect((await ha.send('POST', '/v1/notifications', { body: { notification: wrong } })).status).toBe(400)
    await using strict = await startHa({ store: ha.store, deps: { authorize: () => false } })
    expect((await strict.send('POST', '/v1/notifications', { body: { notification: wrong } })).status).toBe(403)
  })
})

describe('reading reports (ha-api 8.1, 8.4, 16)', () => {
  const MEMBERS = [
    'id',
    'notification_uuid',
    'generated_time',
    'source_host_uuid',
    'type',
    'payload',
    'status',
    'failover_segment_uuid',
    'message',
    'created_at',
    'updated_at',
    'deleted_at',
    'deleted',
  ]

  test.each(['1.0', '1.1', '1.2', '1.3'])(
    'at %s the details are in show alone, from 1.1 on, after the status',
    async (version) => {
      const created = await ha.send('POST', '/v1/notifications', { version, body: { notification: FAILURE } })
      const first = member(created.json, 'notification')
      expect(Object.keys(first)).toEqual(MEMBERS)
      const list = await ha.send('GET', '/v1/notifications', { version })
      expect(list.json).toEqual({ notifications: [first] })
      const shown = member(
        (await ha.send('GET', `/v1/notifications/${textOf(first, 'notification_uuid')}`, { version })).json,
        'notification',
      )
      const wanted = version === '1.0' ? MEMBERS : MEMBERS.toSpliced(7, 0, 'recovery_workflow_details')
      expect(Object.keys(shown)).toEqual(wanted)
      const details = [
        {
          name: 'StopInstanceTask',
          progress: 1,
          state: 'SUCCESS',
          progress_details: [
            { timestamp: '2026-01-01 00:00:00.123000', progress: '0.0', message: 'begun' },
            { timestamp: '2026-01-01 00:00:01.000000', progress: '0.25', message: 'on the way' },
          ],
        },
      ]
      expect(shown['recovery_workflow_details']).toEqual(version === '1.0' ? undefined : details)
    },
  )

  test.each([
    ['', ['VM', 'PROCESS', 'COMPUTE_HOST']],
    ['type=VM', ['VM']],
    ['type=vm', []],
    ['status=running', ['PROCESS']],
    ['status=nonsense', []],
    ['source_host_uuid={host}', ['VM', 'PROCESS', 'COMPUTE_HOST']],
    [`source_host_uuid=${NOBODY}`, []],
    ['generated-since=2026-01-01T00:30:00', ['VM', 'PROCESS']],
    ['generated-since=2026-01-01T00:30:00.001', ['VM']],
    ['generated-since=2026-01-01T01:30:00%2B01:00', ['VM', 'PROCESS']],
    ['generated_since=2026-01-01T00:30:00', ['VM', 'PROCESS', 'COMPUTE_HOST']],
    ['generated_since=nonsense', ['VM', 'PROCESS', 'COMPUTE_HOST']],
    [`failover_segment_uuid=${NOBODY}`, ['VM', 'PROCESS', 'COMPUTE_HOST']],
    ['sort_key=generated_time&sort_dir=asc&limit=2', ['COMPUTE_HOST', 'PROCESS']],
    ['marker=3', ['PROCESS', 'COMPUTE_HOST']],
  ])('a list with "%s" has %j', async (query, types) => {
    await addNotification(ha)
    const running = await addNotification(ha, { ...PROCESS, generated_time: '2026-01-01T00:30:00' })
    await addNotification(ha, { ...VM, generated_time: '2026-01-01T00:45:00' })
    await setStatus(ha, running, 'running')
    const answer = await ha.send('GET', `/v1/notifications?${query.replace('{host}', host)}`)
    expect(answer.status).toBe(200)
    expect(column(answer.json, 'notifications', 'type')).toEqual(types)
  })

  test.each(['generated-since=', 'generated-since=yesterday', 'generated-since=2026-13-01'])(
    '%s is a 400',
    async (query) => {
      expect((await ha.send('GET', `/v1/notifications?${query}`)).status).toBe(400)
    },
  )

  test.each([NOBODY, 'x', '1', NOBODY.toUpperCase()])('the report %s is not found', async (id) => {
    expect((await ha.send('GET', `/v1/notifications/${id}`)).status).toBe(404)
  })

  test('a report is neither changed nor deleted', async () => {
    const id = await addNotification(ha)
    for (const method of ['PUT', 'DELETE']) {
      const answer = await ha.send(method, `/v1/notifications/${id}`)
      expect(answer.json).toMatchObject({
        badMethod: { code: 405, message: expect.stringContaining(method) as unknown },
      })
      expect((await ha.send(method, '/v1/notifications')).status).toBe(404)
    }
  })
})

describe('moves (ha-api 9)', () => {
  const moves = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const
  let notification: string
  let place: string

  beforeEach(async () => {
    notification = await addNotification(ha)
    place = `/v1/notifications/${notification}/vmoves`
  })

  async function addMoves(): Promise<void> {
    await ha.store.write(async (queries) => {
      const shared = { notificationUuid: notification, instanceUuid: NOBODY, sourceHost: 'compute1' }
      await createVmoves(
        queries,
        moves.map((uuid, index) => ({ ...shared, uuid, instanceName: `vm${index}` })),
        NOW,
      )
      const done = { status: 'succeeded', destHost: 'compute2', startTime: NOW + 123, endTime: NOW + 4000 } as const
      await updateVmove(queries, moves[0], done, NOW + 4000)
    })
  }

  test.each(['1.0', '1.3'])('3 are there at version %s, with every member of the specification', async (version) => {
    expect((await ha.send('GET', place, { version })).json).toEqual({ vmoves: [] })
    await addMoves()
    const shown = await ha.send('GET', `${place}/${moves[0]}`, { version })
    expect(shown.json).toEqual({
      vmove: {
        id: 1,
        uuid: moves[0],
        notification_uuid: notification,
        instance_uuid: NOBODY,
        instance_name: 'vm0',
        source_host: 'compute1',
        dest_host: 'compute2',
        start_time: '2026-01-01T01:00:00.123000',
        end_time: '2026-01-01T01:00:04.000000',
        type: 'evacuation',
        status: 'succeeded',
        message: null,
        created_at: '2026-01-01T01:00:00.000000',
        updated_at: '2026-01-01T01:00:04.000000',
        deleted_at: null,
        deleted: false,
      },
    })
  })

  test.each([
    ['', ['vm1', 'vm0']],
    ['status=succeeded', ['vm0']],
    ['status=lost', []],
    ['type=evacuation', ['vm1', 'vm0']],
    ['type=migration', []],
    ['sort_key=instance_name&sort_dir=asc', ['vm0', 'vm1']],
    ['sort_key=end_time', ['vm0', 'vm1']],
    ['sort_key=end_time&sort_dir=asc&limit=1', ['vm1']],
    ['marker=2', ['vm0']],
  ])('a list with "%s" has %j', async (query, names) => {
    await addMoves()
    expect(column((await ha.send('GET', `${place}?${query}`)).json, 'vmoves', 'instance_name')).toEqual(names)
  })

  test('of a report that is nobody are not found, [DEV] also one of them', async () => {
    await addMoves()
    for (const id of [NOBODY, 'x']) {
      expect((await ha.send('GET', `/v1/notifications/${id}/vmoves`)).status).toBe(404)
      expect((await ha.send('GET', `/v1/notifications/${id}/vmoves/${moves[0]}`)).status).toBe(404)
    }
  })

  test('of a report about something else are a 400', async () => {
    const other = await addNotification(ha, PROCESS)
    for (const path of [`/v1/notifications/${other}/vmoves`, `/v1/notifications/${other}/vmoves/${NOBODY}`]) {
      expect((await ha.send('GET', path)).json).toMatchObject({ badRequest: { code: 400 } })
    }
  })

  test('[DEV] one of another report is not found, nor is one that is nobody', async () => {
    await addMoves()
    const other = await addNotification(ha, { payload: { event: 'STOPPED' } })
    for (const path of [
      `/v1/notifications/${other}/vmoves/${moves[0]}`,
      `${place}/${NOBODY}`,
      `${place}/x`,
      `${place}/1`,
    ]) {
      expect((await ha.send('GET', path)).status).toBe(404)
    }
  })
})
