import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import type { RequestContext } from '../../core/context.ts'
import { TimeoutError } from '../../core/errors.ts'
import { noauth2 } from '../../http/authenticate.ts'
import { faultResponse } from '../../http/fault.ts'
import { StoreUnavailableError } from '../../store/index.ts'
import { SEGMENT, addSegment, column, member } from '../testing/fill.ts'
import { startHa, type RunningHa } from '../testing/start-ha.ts'

let ha: RunningHa
/** Of each request that came as far as the policy. */
const contexts: RequestContext[] = []
const asked: string[] = []

beforeAll(async () => {
  ha = await startHa({
    deps: {
      authorize: (rule, context) => {
        asked.push(rule)
        contexts.push(context)
        return !(rule.endsWith(':discoverable') && rule.includes('vmoves'))
      },
    },
  })
  await addSegment(ha)
})

afterAll(async () => {
  await ha[Symbol.asyncDispose]()
})

beforeEach(() => {
  contexts.length = 0
  asked.length = 0
})

describe('request ids (ha-api 1.4)', () => {
  const OWN = 'req-11111111-2222-4333-8444-555555555555'

  test('every answer has a fresh one; the caller’s own becomes the global one and is not echoed', async () => {
    const seen: (string | undefined)[] = []
    for (const path of ['/v1/segments', '/v1/segments', '/v1/segments/x', '/v1/nothing']) {
      const { headers } = await ha.send('GET', path, { headers: { 'X-Openstack-Request-Id': OWN } })
      seen.push(String(headers['x-openstack-request-id']))
    }
    for (const id of seen)
      expect(id).toMatch(/^req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(new Set([...seen, OWN]).size).toBe(5)
    expect(contexts.map(({ globalRequestId }) => globalRequestId)).toEqual([OWN, OWN, OWN])
    expect(contexts.map(({ requestId }) => requestId)).toEqual(seen.slice(0, 3))
  })

  test.each(['req-1', 'REQ-11111111-2222-4333-8444-555555555555', OWN.slice(4), `${OWN}x`])(
    '%s is no such id',
    async (id) => {
      await ha.send('GET', '/v1/segments', { headers: { 'X-Openstack-Request-Id': id } })
      expect(contexts[0]?.globalRequestId).toBeNull()
    },
  )

  test.each([
    ['GET', '/'],
    ['GET', '/v2'],
    ['OPTIONS', '/v1/segments'],
    ['GET', '/healthcheck'],
  ])('1 %s %s has neither one nor a version', async (method, path) => {
    const { headers } = await ha.send(method, path, { version: '1.3' })
    const names = ['x-openstack-request-id', 'openstack-api-version', 'vary']
    expect(names.filter((name) => headers[name] !== undefined)).toEqual([])
  })
})

describe('what is asked for (ha-api 1.1, 1.3)', () => {
  test.each([
    ['/v1/segments.json', {}, 'application/json'],
    ['/v1/segments.xml', {}, 'application/json'],
    ['/v1/segments', { accept: 'application/vnd.openstack.masakari+json' }, 'application/vnd.openstack.masakari+json'],
    ['/v1/segments.json', { accept: 'application/vnd.openstack.masakari+json' }, 'application/json'],
    ['/v1/segments', { accept: 'text/html' }, 'application/json'],
    ['/v1/segments', { accept: 'nonsense' }, 'application/json'],
    ['/v1/segments', { accept: '*/*' }, 'application/json'],
  ])('%s with %j is %s', async (path, headers, type) => {
    const answer = await ha.send('GET', path, { headers })
    expect([answer.status, answer.headers['content-type']]).toEqual([200, type])
    expect(column(JSON.parse(answer.text), 'segments', 'name')).toEqual(['s1'])
  })

  test('a body of exactly the longest length is read, one byte more is not', async () => {
    const frame = JSON.stringify({ segment: { ...SEGMENT, name: 'long', description: '' } })
    const body = (bytes: number): string =>
      frame.replace('"description":""', `"description":"${'x'.repeat(bytes - frame.length)}"`)
    const send = async (bytes: number): Promise<number> =>
      (await ha.send('POST', '/v1/segments', { raw: body(bytes), headers: { 'Content-Type': 'text/plain' } })).status
    expect([await send(114_689), await send(114_688)]).toEqual([413, 201])
  })

  test('without a content type a body is JSON, and its text may be in any form of UTF-8', async () => {
    const raw = Buffer.from(JSON.stringify({ segment: { ...SEGMENT, name: 'größe 名前' } }))
    const answer = await ha.send('POST', '/v1/segments', { raw })
    expect(member(answer.json, 'segment')['name']).toBe('größe 名前')
    expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.text)))
  })
})

describe('faults (ha-api 1.5)', () => {
  test.each([
    [400, 'badRequest'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'itemNotFound'],
    [405, 'badMethod'],
    [406, 'masakariFault'],
    [409, 'conflictingRequest'],
    [413, 'overLimit'],
    [415, 'badMediaType'],
    [429, 'overLimit'],
    [500, 'masakariFault'],
    [501, 'notImplemented'],
    [503, 'serviceUnavailable'],
    [507, 'masakariFault'],
  ])('%i stands under %s', (status, key) => {
    const { headers, body } = faultResponse(status, 'why', 7)
    const limited = key === 'overLimit' ? { retryAfter: '7' } : {}
    expect(JSON.parse(body)).toEqual({ [key]: { code: status, message: 'why', ...limited } })
    expect(headers).toEqual({ 'Content-Type': 'application/json; charset=UTF-8', 'Retry-After': '7' })
  })

  test.each([
    [new TypeError('secret detail'), 500, 'masakariFault', 'TypeError'],
    [new StoreUnavailableError('The database is away.'), 503, 'serviceUnavailable', 'The database is away.'],
    [new TimeoutError('A look', 5), 500, 'masakariFault', 'Please report it'],
  ])('%s inside an action is a %i', async (thrown, status, key, part) => {
    const reject = async (): Promise<never> => await Promise.reject(thrown)
    await using failing = await startHa({ store: ha.store, deps: { authorize: reject } })
    const answer = await failing.send('GET', '/v1/segments')
    expect(answer.status).toBe(status)
    expect(member(answer.json, key)).toMatchObject({ code: status, message: expect.stringContaining(part) as unknown })
    expect(answer.text).not.toContain('secret detail')
    expect(answer.headers['openstack-api-version']).toBe('instance-ha 1.0')
  })
})

test('1.6 what a browser’s page may send and read, by default', async () => {
  await using own = await startHa({ options: { corsOrigins: ['https://h.example'] } })
  const headers = { Origin: 'https://h.example', 'Access-Control-Request-Method': 'PUT' }
  expect((await own.send('OPTIONS', '/v1/segments', { headers })).headers).toMatchObject({
    'access-control-allow-headers':
      'X-Auth-Token, X-Openstack-Request-Id, X-Identity-Status, X-Roles, X-Service-Catalog, X-User-Id, X-Tenant-Id',
    'access-control-allow-methods': 'GET, PUT, POST, DELETE, PATCH',
  })
  expect((await own.send('GET', '/v1/segments', { headers })).headers['access-control-expose-headers']).toBe(
    'X-Auth-Token, X-Openstack-Request-Id, X-Subject-Token, X-Service-Token',
  )
})

describe('who asks (ha-api 4.2, 4.3)', () => {
  test('noauth2 believes user, project and roles as they are sent, and everybody is admin', async () => {
    await ha.send('GET', '/v1/segments', { headers: { 'X-User-Id': 'u', 'X-Project-Id': 'p', 'X-Roles': 'a, b' } })
    await ha.send('GET', '/v1/segments')
    expect(contexts).toMatchObject([
      { userId: 'u', projectId: 'p', roles: ['a', 'b'], isAdmin: true },
      { userId: null, projectId: null, roles: [], isAdmin: true },
    ])
  })

  test.each([
    [false, '127.0.0.1'],
    [true, '192.0.2.7'],
  ])('4.1 with use_forwarded_for %s the caller is %s', async (useForwardedFor, address) => {
    const seen: (string | null)[] = []
    await using own = await startHa({
      store: ha.store,
      options: { useForwardedFor },
      deps: {
        authenticate: async (arrival) => {
          seen.push(arrival.remoteAddress)
          return await noauth2(arrival)
        },
      },
    })
    await own.send('GET', '/v1/segments', { headers: { 'X-Forwarded-For': '192.0.2.7' } })
    expect(seen).toEqual([address])
  })

  test('10 extensions that the caller may not discover are hidden', async () => {
    const list = await ha.send('GET', '/v1/extensions')
    expect(column(list.json, 'extensions', 'alias')).toEqual([
      'extensions',
      'notifications',
      'os-hosts',
      'segments',
      'versions',
    ])
    expect((await ha.send('GET', '/v1/extensions/vmoves')).status).toBe(404)
    expect((await ha.send('GET', '/v1/extensions/versions')).status).toBe(200)
  })
})
