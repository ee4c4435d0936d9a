import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { startHa, type RunningHa } from './testing/start-ha.ts'
import { setNotificationStatus } from './store/notifications.ts'

const SEGMENT = { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' }
const HOST = { name: 'compute1', type: 'COMPUTE', control_attributes: 'SSH' }
const FAILURE = {
  type: 'COMPUTE_HOST',
  hostname: 'compute1',
  generated_time: '2026-01-01T00:00:00.123456',
  payload: { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' },
}

let clock: ManualClock
let ha: RunningHa

beforeEach(async () => {
  clock = new ManualClock(Date.UTC(2026, 0, 1))
  ha = await startHa({ clock })
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

async function createSegment(body: object = SEGMENT): Promise<string> {
  const { json } = await ha.send('POST', '/v1/segments', { body: { segment: body } })
  return (json as { segment: { uuid: string } }).segment.uuid
}

async function createHost(segment: string, body: object = HOST): Promise<string> {
  const { json } = await ha.send('POST', `/v1/segments/${segment}/hosts`, { body: { host: body } })
  return (json as { host: { uuid: string } }).host.uuid
}

describe('discovery (ha-api 2)', () => {
  test('lists its versions to anybody at /, whatever the method', async () => {
    for (const method of ['GET', 'POST']) {
      const answer = await ha.send(method, '/')
      expect(answer.status).toBe(200)
      expect(answer.headers['x-openstack-request-id']).toBeUndefined()
      expect(answer.json).toEqual({
        versions: [
          {
            id: 'v1.0',
            status: 'CURRENT',
            version: '1.3',
            min_version: '1.0',
            updated: '2016-07-01T11:33:21Z',
            links: [{ rel: 'self', href: `http://127.0.0.1:${ha.port}/v1/` }],
          },
        ],
      })
    }
  })

  test.each(['/v2', '/v10', '/v1.0', '/foo/bar'])('offers version 1 at %s', async (path) => {
    const answer = await ha.send('GET', path)
    expect(answer.status).toBe(300)
    expect(answer.json).toMatchObject({
      choices: [{ id: 'v1.0', links: [{ href: `http://127.0.0.1:${ha.port}/v1${path}` }] }],
    })
  })

  test.each(['/v1', '/v1/'])('shows the document of version 1 at %s', async (path) => {
    const answer = await ha.send('GET', path)
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({ version: { id: 'v1.0', version: '1.3' } })
    expect(answer.headers['openstack-api-version']).toBe('masakari 1.0')
  })
})

describe('segments (ha-api 6)', () => {
  test('a created segment has every member of the specification', async () => {
    const answer = await ha.send('POST', '/v1/segments', { body: { segment: SEGMENT } })
    expect(answer.status).toBe(201)
    expect(answer.json).toEqual({
      segment: {
        id: 1,
        uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ...SEGMENT,
        enabled: true,
        description: null,
        created_at: '2026-01-01T00:00:00.000000',
        updated_at: null,
        deleted_at: null,
        deleted: false,
      },
    })
    expect(answer.headers['x-openstack-request-id']).toMatch(/^req-[0-9a-f-]{36}$/)
    expect(answer.rawHeaders).toContain('X-Openstack-Request-Id')
    expect(answer.headers['vary']).toBe('OpenStack-API-Version')
  })

  test('a second segment of the same name is a conflict until the first is deleted', async () => {
    const uuid = await createSegment()
    expect((await ha.send('POST', '/v1/segments', { body: { segment: SEGMENT } })).status).toBe(409)
    const deleted = await ha.send('DELETE', `/v1/segments/${uuid}`)
    expect(deleted.status).toBe(204)
    expect(deleted.headers['content-length']).toBe('0')
    expect(deleted.headers['content-type']).toBe('application/json')
    expect((await ha.send('POST', '/v1/segments', { body: { segment: SEGMENT } })).status).toBe(201)
  })

  test('a segment or a host whose id is taken is not told that its name is', async () => {
    const ids = new SystemIds()
    let next = ids.random()
    await using twins = await startHa({
      clock,
      deps: { ids: { random: () => next, ordered: () => ids.ordered() } },
    })
    const create = async (path: string, body: object): Promise<string> => {
      const { status, text } = await twins.send('POST', path, { body })
      expect(status).toBe(409)
      return text
    }
    const first = await twins.send('POST', '/v1/segments', { body: { segment: SEGMENT } })
    const hosts = `/v1/segments/${next}/hosts`
    expect(first.status).toBe(201)
    expect(await create('/v1/segments', { segment: { ...SEGMENT, name: 's2' } })).toMatch(/failover_segments .* uuid /)
    expect(await create('/v1/segments', { segment: SEGMENT })).toMatch(/segment with name s1 already exists/)
    next = ids.random()
    expect((await twins.send('POST', hosts, { body: { host: HOST } })).status).toBe(201)
    expect(await create(hosts, { host: { ...HOST, name: 'compute2' } })).toMatch(/hosts has the same uuid /)
    expect(await create(hosts, { host: HOST })).toMatch(/host with name compute1 already exists/)
  })

  test('enabled may be set from 1.2 on, and boolean words mean what they say', async () => {
    const uuid = await createSegment()
    const old = await ha.send('PUT', `/v1/segments/${uuid}`, { version: '1.1', body: { segment: { enabled: false } } })
    expect(old.status).toBe(400)
    const now = await ha.send('PUT', `/v1/segments/${uuid}`, { version: '1.2', body: { segment: { enabled: 'off' } } })
    expect(now.status).toBe(200)
    expect(now.json).toMatchObject({ segment: { enabled: false } })
  })

  test('an update that changes nothing leaves updated_at as it was', async () => {
    const uuid = await createSegment()
    const same = await ha.send('PUT', `/v1/segments/${uuid}`, { body: { segment: { name: 's1' } } })
    expect(same.json).toMatchObject({ segment: { updated_at: null } })
  })
})

describe('hosts (ha-api 7)', () => {
  test('a created host carries its segment', async () => {
    const segment = await createSegment()
    const answer = await ha.send('POST', `/v1/segments/${segment}/hosts`, { body: { host: HOST } })
    expect(answer.status).toBe(201)
    expect(answer.json).toMatchObject({
      host: { ...HOST, failover_segment_id: segment, failover_segment: { uuid: segment }, reserved: false },
    })
  })

  test('a host that the platform does not know is a 400', async () => {
    const segment = await createSegment()
    const answer = await ha.send('POST', `/v1/segments/${segment}/hosts`, {
      body: { host: { ...HOST, name: 'unknown1' } },
    })
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({ badRequest: { code: 400 } })
  })

  test('a host of another segment is not found, and the message names both ids', async () => {
    const host = await createHost(await createSegment())
    const other = await createSegment({ ...SEGMENT, name: 's2' })
    const answer = await ha.send('GET', `/v1/segments/${other}/hosts/${host}`)
    expect(answer.status).toBe(404)
    expect(answer.text).toContain(host)
    expect(answer.text).toContain(other)
  })
})

describe('notifications (ha-api 8)', () => {
  test('stores a report, starts its recovery in the same transaction and answers 202', async () => {
    const segment = await createSegment()
    const host = await createHost(segment)
    const answer = await ha.send('POST', '/v1/notifications', { body: { notification: FAILURE } })
    expect(answer.status).toBe(202)
    expect(answer.json).toMatchObject({
      notification: { source_host_uuid: host, status: 'new', failover_segment_uuid: segment, payload: FAILURE.payload },
    })
    expect(ha.recoveries).toHaveLength(1)
    const blocked = await ha.send('DELETE', `/v1/segments/${segment}`)
    expect(blocked.status).toBe(409)
  })

  test('one of many equal reports at the same moment is stored', async () => {
    await createHost(await createSegment())
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ha.send('POST', '/v1/notifications', { body: { notification: FAILURE } })),
    )
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b)
    expect(statuses).toEqual([202, ...Array.from({ length: 19 }, () => 409)])
  })

  test('a repeat with the same Idempotency-Key is answered with what was stored', async () => {
    await createHost(await createSegment())
    const send = async (): ReturnType<RunningHa['send']> =>
      await ha.send('POST', '/v1/notifications', {
        headers: { 'Idempotency-Key': 'spool-1' },
        body: { notification: FAILURE },
      })
    const answers = [await send(), await send(), ...(await Promise.all([send(), send()]))]
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202])
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(ha.recoveries).toHaveLength(1)
  })

  test('another report with the Idempotency-Key of an earlier one is refused, not lost', async () => {
    const segment = await createSegment()
    await createHost(segment)
    await createHost(segment, { ...HOST, name: 'compute2' })
    const send = async (more: object): Promise<number> => {
      const headers = { 'Idempotency-Key': 'spool-1' }
      const body = { notification: { ...FAILURE, ...more } }
      return (await ha.send('POST', '/v1/notifications', { headers, body })).status
    }
    expect(await send({})).toBe(202)
    expect(await send({ hostname: 'compute2' })).toBe(422)
    expect(await send({ hostname: 'nowhere' })).toBe(422)
    expect(await send({ payload: { event: 'STARTED' } })).toBe(422)
    expect(await send({ generated_time: '2027-01-01T00:00:00' })).toBe(422)
    expect(await send({ type: 'PROCESS', payload: { event: 'STOPPED', process_name: 'x' } })).toBe(422)
    expect(await send({})).toBe(202)
    const both = await Promise.all([{ hostname: 'compute2' }, {}].map(send))
    expect(both).toEqual([422, 202])
    expect(ha.recoveries).toHaveLength(1)
  })

  test('a configured delay is waited for, by the clock', async () => {
    await using slow = await startHa({
      clock,
      store: ha.store,
      options: { notificationDelayMaxMs: 5000 },
      deps: { random: { next: () => 0.5 } },
    })
    await createHost(await createSegment())
    const answer = slow.send('POST', '/v1/notifications', { body: { notification: FAILURE } })
    await expect.poll(() => clock.pending).toBeGreaterThan(0)
    expect(slow.recoveries).toHaveLength(0)
    await clock.advance(2500)
    expect((await answer).status).toBe(202)
  })

  test('the segment is free again when its notifications are done', async () => {
    const segment = await createSegment()
    await createHost(segment)
    const { json } = await ha.send('POST', '/v1/notifications', { body: { notification: FAILURE } })
    const { notification_uuid: uuid } = (json as { notification: { notification_uuid: string } }).notification
    await ha.store.write(async (queries) => {
      await setNotificationStatus(queries, uuid, 'finished', { nowMs: clock.now() })
    })
    expect((await ha.send('DELETE', `/v1/segments/${segment}`)).status).toBe(204)
    const shown = await ha.send('GET', `/v1/notifications/${uuid}`, { version: '1.1' })
    expect(shown.json).toMatchObject({ notification: { status: 'finished', recovery_workflow_details: [] } })
  })

  test('what failed to start a recovery is not stored', async () => {
    await using failing = await startHa({
      clock,
      deps: { startRecovery: async () => await Promise.reject(new Error('no engine table')) },
    })
    const created = await failing.send('POST', '/v1/segments', { body: { segment: SEGMENT } })
    const { uuid } = (created.json as { segment: { uuid: string } }).segment
    await failing.send('POST', `/v1/segments/${uuid}/hosts`, { body: { host: HOST } })
    expect((await failing.send('POST', '/v1/notifications', { body: { notification: FAILURE } })).status).toBe(500)
    expect((await failing.send('GET', '/v1/notifications')).json).toEqual({ notifications: [] })
    const types = failing.events.map(({ type }) => type).filter((type) => type.startsWith('notification'))
    expect(types).toEqual(['notification.create.start', 'notification.create.error'])
  })
})
