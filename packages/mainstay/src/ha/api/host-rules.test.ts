import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { requestContext } from '../../core/context.ts'
import {
  HOST,
  NOBODY,
  SEGMENT,
  addHost,
  addNotification,
  addSegment,
  column,
  member,
  setStatus,
} from '../testing/fill.ts'
import { startHa, type RunningHa } from '../testing/start-ha.ts'

let ha: RunningHa
/** Names that the platform was asked about. */
let asked: string[]
let platformFails: boolean

beforeEach(async () => {
  asked = []
  platformFails = false
  ha = await startHa({
    deps: {
      platform: {
        computeHostExists: async (name) => {
          asked.push(name)
          if (platformFails) throw new Error('Nova is away')
          return !name.startsWith('unknown')
        },
      },
      authenticate: async ({ headers, requestId, timestampMs }) =>
        requestContext({ requestId, timestampMs, isAdmin: headers['x-role'] !== 'member' }),
    },
  })
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

describe('the order of checks of hosts (ha-api 7.3)', () => {
  test('create: schema, policy, segment, platform, name', async () => {
    const segment = await addSegment(ha)
    await addHost(ha, segment)
    const create = async (place: string, host: object, headers = {}): Promise<number> =>
      (await ha.send('POST', `/v1/segments/${place}/hosts`, { headers, body: { host } })).status
    const member = { 'X-Role': 'member' }
    asked.length = 0
    expect(await create(NOBODY, { name: 'unknown1' }, member)).toBe(400)
    expect(await create(NOBODY, { ...HOST, name: 'unknown1' }, member)).toBe(403)
    expect(await create(NOBODY, { ...HOST, name: 'unknown1' })).toBe(404)
    expect(asked).toEqual([])
    expect(await create(segment, { ...HOST, name: 'unknown1' })).toBe(400)
    expect(await create(segment, HOST)).toBe(409)
    // One question for each request.
    expect(asked).toEqual(['unknown1', 'compute1'])
  })

  test('update: schema, host in segment, in use, platform, name', async () => {
    const segment = await addSegment(ha)
    const host = await addHost(ha, segment)
    await addHost(ha, segment, { name: 'compute2' })
    const update = async (id: string, change: object): Promise<number> =>
      (await ha.send('PUT', `/v1/segments/${segment}/hosts/${id}`, { body: { host: change } })).status
    const notification = await addNotification(ha)
    asked.length = 0
    expect(await update(NOBODY, {})).toBe(400)
    expect(await update(NOBODY, { name: 'unknown1' })).toBe(404)
    expect(await update(host, { name: 'unknown1' })).toBe(409)
    expect(asked).toEqual([])
    await setStatus(ha, notification, 'finished')
    expect(await update(host, { name: 'unknown1' })).toBe(400)
    expect(await update(host, { name: 'compute2' })).toBe(409)
    // Also when it stays the same.
    expect(await update(host, { name: 'compute1' })).toBe(200)
    expect(await update(host, { type: 'x' })).toBe(200)
    expect(asked).toEqual(['unknown1', 'compute2', 'compute1'])
  })

  test('trouble with the platform is a 500, and nothing is stored', async () => {
    const segment = await addSegment(ha)
    platformFails = true
    const answer = await ha.send('POST', `/v1/segments/${segment}/hosts`, { body: { host: HOST } })
    expect([answer.status, answer.json]).toMatchObject([500, { masakariFault: { code: 500 } }])
    expect((await ha.send('GET', `/v1/segments/${segment}/hosts`)).json).toEqual({ hosts: [] })
  })
})

describe('hosts (ha-api 7)', () => {
  test('a name is taken in every segment, and free again when its host is deleted', async () => {
    const segment = await addSegment(ha)
    const host = await addHost(ha, segment)
    const other = await addSegment(ha, { name: 's2' })
    const again = async (): Promise<number> =>
      (await ha.send('POST', `/v1/segments/${other}/hosts`, { body: { host: HOST } })).status
    expect(await again()).toBe(409)
    const deleted = await ha.send('DELETE', `/v1/segments/${segment}/hosts/${host}`)
    expect([deleted.status, deleted.text]).toEqual([204, ''])
    expect(await again()).toBe(201)
  })

  test('every operation on a host of another segment, or on one that is nobody, is a 404 that names both', async () => {
    const host = await addHost(ha, await addSegment(ha))
    const other = await addSegment(ha, { name: 's2' })
    for (const [segment, id] of [
      [other, host],
      [NOBODY, host],
      [other, NOBODY],
      [other, 'compute1'],
    ] as const) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const body = method === 'PUT' ? { body: { host: { type: 'x' } } } : {}
        const answer = await ha.send(method, `/v1/segments/${segment}/hosts/${id}`, body)
        expect([method, answer.status, answer.json]).toMatchObject([method, 404, { itemNotFound: { code: 404 } }])
        expect(answer.text).toContain(segment)
        expect(answer.text).toContain(id)
      }
    }
  })

  test('has every member of the specification, in a list too, and booleans may be words', async () => {
    const segment = await addSegment(ha)
    const uuid = await addHost(ha, segment, { reserved: 'yes', on_maintenance: 'off' })
    const shown = member((await ha.send('GET', `/v1/segments/${segment}/hosts/${uuid}`)).json, 'host')
    expect(Object.keys(shown)).toEqual([
      'id',
      'uuid',
      'name',
      'failover_segment_id',
      'failover_segment',
      'type',
      'reserved',
      'control_attributes',
      'on_maintenance',
      'created_at',
      'updated_at',
      'deleted_at',
      'deleted',
    ])
    expect(shown).toMatchObject({ reserved: true, on_maintenance: false, deleted: false, deleted_at: null })
    expect(shown['failover_segment']).toEqual(member((await ha.send('GET', `/v1/segments/${segment}`)).json, 'segment'))
    expect((await ha.send('GET', `/v1/segments/${segment}/hosts`)).json).toEqual({ hosts: [shown] })
  })

  test('[DEV] null where the reference fails with 500 is a 400', async () => {
    const segment = await addSegment(ha)
    const host = await addHost(ha, segment)
    for (const change of [{ type: null }, { control_attributes: null }]) {
      const place = `/v1/segments/${segment}/hosts`
      expect((await ha.send('POST', place, { body: { host: { ...HOST, ...change } } })).status).toBe(400)
      expect((await ha.send('PUT', `${place}/${host}`, { body: { host: change } })).status).toBe(400)
    }
  })

  describe('lists', () => {
    const HOSTS = [
      { name: 'a', type: 'COMPUTE', reserved: true },
      { name: 'b', type: 'COMPUTE', on_maintenance: true },
      { name: 'c', type: 'KVM' },
    ]
    test.each([
      ['', ['c', 'b', 'a']],
      ['type=KVM', ['c']],
      ['type=kvm', []],
      ['reserved=TRUE', ['a']],
      ['reserved=t', ['a']],
      ['reserved=y', ['a']],
      ['reserved=0', ['c', 'b']],
      ['on_maintenance=On', ['b']],
      ['on_maintenance=n&reserved=off', ['c']],
      ['name=a&control_attributes=x', ['c', 'b', 'a']],
      [`failover_segment_id=${NOBODY}`, ['c', 'b', 'a']],
      ['sort_key=name&sort_dir=asc&limit=2', ['a', 'b']],
      ['sort_key=reserved', ['a', 'c', 'b']],
      ['marker=2', ['a']],
      ['limit=0&marker=x&sort_key=y', []],
    ])('"%s" gives %j', async (query, names) => {
      const segment = await addSegment(ha)
      for (const host of HOSTS) await addHost(ha, segment, host)
      await addHost(ha, await addSegment(ha, { name: 's2' }), { name: 'elsewhere' })
      const answer = await ha.send('GET', `/v1/segments/${segment}/hosts?${query}`)
      expect(answer.status).toBe(200)
      expect(column(answer.json, 'hosts', 'name')).toEqual(names)
    })

    test.each(['reserved=', 'reserved=perhaps', 'on_maintenance=2', 'on_maintenance=tru'])(
      '%s is a 400 that names the parameter',
      async (query) => {
        const answer = await ha.send('GET', `/v1/segments/${await addSegment(ha)}/hosts?${query}`)
        expect(answer.status).toBe(400)
        expect(answer.text).toContain(query.split('=')[0])
      },
    )
  })

  // Each row is wrong in everything from its own check on.
  test.each([
    ['policy', NOBODY, 'limit=x&reserved=x&sort_dir=x&marker=x&sort_key=x', 'member', 403, 'os-hosts:index'],
    ['limit', NOBODY, 'limit=x&reserved=x&sort_dir=x&marker=x&sort_key=x', 'admin', 400, 'limit'],
    ['page_size', NOBODY, 'page_size=-1&reserved=x&sort_dir=x&marker=x&sort_key=x', 'admin', 400, 'page_size'],
    ['parent', NOBODY, 'reserved=x&limit=0&sort_dir=x&marker=x&sort_key=x', 'admin', 404, NOBODY],
    ['filter', '', 'reserved=x&limit=0&sort_dir=x&marker=x&sort_key=x', 'admin', 400, 'reserved'],
    ['limit=0', '', 'limit=0&sort_dir=x&marker=x&sort_key=x', 'admin', 200, '"hosts":[]'],
    ['sort_dir', '', 'sort_dir=x&marker=x&sort_key=x', 'admin', 400, 'direction'],
    ['marker', '', 'marker=x&sort_key=x', 'admin', 400, 'Marker'],
    ['sort_key', '', 'sort_key=x', 'admin', 400, 'Sort key'],
  ])('5.3 the order of checks of a list: %s', async (_name, parent, query, role, status, part) => {
    const segment = parent === '' ? await addSegment(ha) : parent
    const answer = await ha.send('GET', `/v1/segments/${segment}/hosts?${query}`, { headers: { 'X-Role': role } })
    expect(answer.status).toBe(status)
    expect(answer.text).toContain(part)
  })
})

test('4.3 a refusal names the rule', async () => {
  const answer = await ha.send('POST', '/v1/segments', { headers: { 'X-Role': 'member' }, body: { segment: SEGMENT } })
  expect(answer.json).toMatchObject({
    forbidden: { code: 403, message: expect.stringContaining('os_masakari_api:segments:create') as unknown },
  })
})
