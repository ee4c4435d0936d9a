import { writeFile, rm, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { requestContext } from '../../core/context.ts'
import { IdentityUnavailableError, UnauthorizedError } from '../../http/errors.ts'
import { startHa, type Answer, type RunningHa } from '../testing/start-ha.ts'

let ha: RunningHa

beforeAll(async () => {
  ha = await startHa({
    deps: {
      authenticate: async ({ headers, requestId, timestampMs }) => {
        const token = headers['x-auth-token']
        if (token === 'down') throw new IdentityUnavailableError('Keystone is away.')
        if (token === 'broken') throw new Error('catalogue')
        if (typeof token !== 'string') {
          throw new UnauthorizedError('Who are you?', { challenge: 'Keystone uri="http://k/v3"' })
        }
        return requestContext({ requestId, timestampMs, projectId: 'abc', isAdmin: token === 'admin' })
      },
    },
  })
})

afterAll(async () => {
  await ha[Symbol.asyncDispose]()
})

const BIG = 'x'.repeat(114_689)
const ADMIN = { 'X-Auth-Token': 'admin' }
const MEMBER = { 'X-Auth-Token': 'member' }

async function ask(
  method: string,
  path: string,
  headers: Record<string, string>,
  raw?: string | Buffer,
): Promise<Answer> {
  return await ha.send(method, path, { headers, ...(raw === undefined ? {} : { raw }) })
}

describe('the order of checks (ha-api 5.1): each row is wrong in everything from its own check on', () => {
  const everythingWrong = { 'Content-Type': 'text/html', 'OpenStack-API-Version': 'instance-ha x' }
  test.each([
    ['413', 'POST', '/v1/nothing', { ...everythingWrong }, BIG, 413],
    ['401', 'POST', '/v1/nothing', { ...everythingWrong }, '{', 401],
    ['503', 'POST', '/v1/nothing', { ...everythingWrong, 'X-Auth-Token': 'down' }, '{', 503],
    ['404', 'POST', '/v1/nothing', { ...everythingWrong, ...MEMBER }, '{', 404],
    ['400 version', 'PUT', '/v1/notifications/x', { ...everythingWrong, ...MEMBER }, '{', 400],
    [
      '406',
      'PUT',
      '/v1/notifications/x',
      { ...MEMBER, 'Content-Type': 'text/html', 'OpenStack-API-Version': 'instance-ha 9.9' },
      '{',
      406,
    ],
    ['415', 'PUT', '/v1/notifications/x', { ...MEMBER, 'Content-Type': 'text/html' }, '{', 415],
    ['405', 'PUT', '/v1/notifications/x', { ...MEMBER }, '{', 405],
    ['400 JSON', 'POST', '/v1/def/segments', { ...MEMBER }, '{', 400],
    ['400 project', 'POST', '/v1/def/segments', { ...MEMBER }, '{}', 400],
    ['400 schema', 'POST', '/v1/abc/segments', { ...MEMBER }, '{}', 400],
    [
      '403',
      'POST',
      '/v1/abc/segments',
      { ...MEMBER },
      '{"segment":{"name":"a","recovery_method":"auto","service_type":"x"}}',
      403,
    ],
  ])('%s', async (_name, method, path, headers, raw, expected) => {
    expect((await ask(method, path, headers, raw)).status).toBe(expected)
  })

  test('the messages tell which of the 400s it was', async () => {
    expect(
      (await ask('PUT', '/v1/notifications/x', { ...ADMIN, 'OpenStack-API-Version': 'instance-ha x' }, '{')).text,
    ).toContain('invalid format')
    expect((await ask('POST', '/v1/def/segments', ADMIN, '{')).text).toContain('Malformed request body')
    expect((await ask('POST', '/v1/def/segments', ADMIN, '{}')).text).toContain("project_id 'def'")
    expect((await ask('POST', '/v1/abc/segments', ADMIN, '{}')).text).toContain('segment')
  })
})

describe('headers and bodies of answers (ha-api 1)', () => {
  test('401 has its own body and a challenge, and the request id', async () => {
    const answer = await ask('GET', '/v1/segments', {})
    expect(answer.json).toEqual({ error: { code: 401, title: 'Unauthorized', message: 'Who are you?' } })
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.headers['www-authenticate']).toBe('Keystone uri="http://k/v3"')
    expect(answer.headers['x-openstack-request-id']).toMatch(/^req-/)
    expect(answer.headers['openstack-api-version']).toBeUndefined()
  })

  test('an identity service that does not answer is a 503 that is no JSON fault; a broken one a 500', async () => {
    const away = await ask('GET', '/v1/segments', { 'X-Auth-Token': 'down' })
    expect([away.status, away.headers['content-type']]).toEqual([503, 'text/plain; charset=UTF-8'])
    expect((await ask('GET', '/v1/segments', { 'X-Auth-Token': 'broken' })).status).toBe(500)
  })

  test('success says masakari, faults say instance-ha', async () => {
    const good = await ask('GET', '/v1/segments', { ...ADMIN, 'OpenStack-API-Version': 'instance-ha 1.2' })
    expect(good.headers['openstack-api-version']).toBe('masakari 1.2')
    expect(good.headers['vary']).toBe('OpenStack-API-Version')
    expect(good.headers['content-type']).toBe('application/json')
    const bad = await ask('GET', '/v1/segments/x', { ...ADMIN, 'OpenStack-API-Version': 'instance-ha latest' })
    expect(bad.headers['openstack-api-version']).toBe('instance-ha 1.3')
    expect(bad.headers['content-type']).toBe('application/json; charset=UTF-8')
    expect(bad.json).toMatchObject({ itemNotFound: { code: 404 } })
  })

  test('a malformed version has no version headers, one out of range is echoed', async () => {
    const malformed = await ask('GET', '/v1/segments', { ...ADMIN, 'OpenStack-API-Version': 'instance-ha 1' })
    expect(malformed.headers['openstack-api-version']).toBeUndefined()
    const far = await ask('GET', '/v1/segments', { ...ADMIN, 'OpenStack-API-Version': 'instance-ha 1.4' })
    expect(far.headers['openstack-api-version']).toBe('instance-ha 1.4')
    expect(far.json).toMatchObject({ masakariFault: { code: 406 } })
  })

  test('repeated version headers are joined', async () => {
    const answer = await ha.send('GET', '/v1/segments', {
      headers: { ...ADMIN, 'OpenStack-API-Version': ['compute 2.1', 'instance-ha 1.2'] },
    })
    expect(answer.headers['openstack-api-version']).toBe('masakari 1.2')
  })

  test('router errors follow Accept and carry the request id alone', async () => {
    const plain = await ask('GET', '/v1/segments/', ADMIN)
    expect([plain.status, plain.headers['content-type']]).toEqual([404, 'text/plain; charset=UTF-8'])
    expect(plain.text.split('\n').slice(0, 2)).toEqual(['404 Not Found', ''])
    expect(plain.headers['openstack-api-version']).toBeUndefined()
    const json = await ask('GET', '/v1/segments/', { ...ADMIN, Accept: 'application/json' })
    expect(json.json).toMatchObject({ code: '404 Not Found', title: 'Not Found' })
    expect((await ask('HEAD', '/v1/', ADMIN)).status).toBe(404)
  })

  test('OPTIONS is answered to anybody with nothing', async () => {
    for (const path of ['/v1', '/v1/segments', '/v1/nothing']) {
      const answer = await ask('OPTIONS', path, {})
      expect([answer.status, answer.text]).toEqual([200, ''])
      expect(answer.headers['x-openstack-request-id']).toBeUndefined()
    }
  })

  test.each([
    ['/segments', { accept: 'application/json;version=1' }, 200],
    ['/segments', { 'content-type': 'application/vnd.openstack.masakari+json; version=1' }, 200],
    ['/segments/', { accept: 'text/html, application/json;version=1;q=0.5' }, 404],
    ['/', { accept: 'application/json;version=1' }, 200],
    ['/segments', { accept: 'application/json;version=2' }, 300],
    ['/segments', { accept: 'application/json;version=11' }, 300],
    ['/healthcheck', { accept: 'application/json;version=1' }, 200],
  ])('1 %s with a version among the media types %j: %i', async (path, headers, status) => {
    const answer = await ask('GET', path, { ...ADMIN, ...headers })
    expect(answer.status).toBe(status)
    const isApi = status !== 300 && path !== '/healthcheck'
    expect(answer.headers['x-openstack-request-id'] !== undefined).toBe(isApi)
  })

  test.each(['PROPFIND', 'TRACE', 'LOCK', 'PATCH'])('%s below /v1 is a 404', async (method) => {
    expect((await ask(method, '/v1/segments', ADMIN)).status).toBe(404)
  })

  test('broken escapes in a path are a 404 and not an error of the server', async () => {
    expect((await ask('GET', '/v1/%zz', ADMIN)).status).toBe(404)
    expect((await ask('GET', '/v1/segments/%ff', ADMIN)).status).toBe(404)
    expect((await ask('GET', '/%c0%af', {})).status).toBe(300)
  })

  test('bodies of GET and DELETE are not looked at, whatever they hold', async () => {
    const headers = { ...ADMIN, 'Content-Type': 'application/json' }
    expect((await ask('GET', '/v1/segments', headers, Buffer.from([0xff, 0xfe]))).status).toBe(200)
    expect((await ask('DELETE', '/v1/segments/x', headers, '{')).status).toBe(404)
    expect((await ask('GET', '/v1/segments', headers, BIG)).status).toBe(413)
  })

  test.each([
    ['', 'null'],
    ['{"a":', 'Malformed'],
    [Buffer.from('{"\xff":1}', 'latin1'), 'Malformed'],
    ['\ufeff{}', 'Malformed'],
  ])('the body %j is a 400', async (raw, part) => {
    const answer = await ask('POST', '/v1/segments', ADMIN, raw)
    expect(answer.status).toBe(400)
    expect(answer.text).toContain(part)
  })

  test('a body without a length that grows too long is a 413', async () => {
    const answer = await ha.send('POST', '/v1/segments', { headers: ADMIN, chunks: [BIG, BIG] })
    expect(answer.status).toBe(413)
    expect(answer.headers['x-openstack-request-id']).toMatch(/^req-/)
  })

  test('a project id in the path must be the one of the context', async () => {
    expect((await ask('GET', '/v1/abc/segments', ADMIN)).status).toBe(200)
    expect((await ask('GET', '/v1/def/segments', ADMIN)).status).toBe(400)
    expect((await ask('GET', '/v1/xyz/segments', ADMIN)).status).toBe(404)
  })
})

describe('healthcheck, links, cross-origin requests', () => {
  test('the health check is off while its file exists', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-health-'))
    const file = join(directory, 'disable')
    await using own = await startHa({ options: { healthcheckDisableFile: file } })
    expect(await own.send('GET', '/healthcheck')).toMatchObject({ status: 200, text: 'OK' })
    await writeFile(file, '')
    expect((await own.send('GET', '/healthcheck')).status).toBe(503)
    await rm(directory, { recursive: true })
  })

  test('links begin with the configured prefix, or with what the proxy says where that is believed', async () => {
    await using prefixed = await startHa({ options: { linkPrefix: 'https://ha.example/api/' } })
    expect((await prefixed.send('GET', '/')).text).toContain('"https://ha.example/api/v1/"')
    const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'front.example' }
    await using believing = await startHa({ options: { believeForwarded: true } })
    expect((await believing.send('GET', '/', { headers })).text).toContain('"https://front.example/v1/"')
    await using careful = await startHa()
    expect((await careful.send('GET', '/', { headers })).text).not.toContain('front.example')
  })

  test('an allowed origin may call, another one may not', async () => {
    await using own = await startHa({ options: { corsOrigins: ['https://horizon.example'] } })
    const allowed = await own.send('GET', '/v1/segments', { headers: { Origin: 'https://horizon.example' } })
    expect(allowed.headers['access-control-allow-origin']).toBe('https://horizon.example')
    expect(allowed.headers['vary']).toBe('OpenStack-API-Version, Origin')
    const preflight = await own.send('OPTIONS', '/v1/segments', {
      headers: { Origin: 'https://horizon.example', 'Access-Control-Request-Method': 'PUT' },
    })
    expect(preflight.headers['access-control-allow-methods']).toContain('PUT')
    const other = await own.send('GET', '/v1/segments', { headers: { Origin: 'https://evil.example' } })
    expect(other.headers['access-control-allow-origin']).toBeUndefined()
  })

  test('noauth2 takes the project from the header, and without one no project in the path is right', async () => {
    await using own = await startHa()
    expect((await own.send('GET', '/v1/abc/segments')).status).toBe(400)
    expect((await own.send('GET', '/v1/abc/segments', { headers: { 'X-Project-Id': 'abc' } })).status).toBe(200)
  })
})

describe('extensions (ha-api 10)', () => {
  test('are sorted by alias and can be asked for one by one', async () => {
    const list = await ask('GET', '/v1/extensions', ADMIN)
    const { extensions } = list.json as { extensions: { alias: string; name: string }[] }
    expect(extensions.map(({ alias }) => alias)).toEqual([
      'extensions',
      'notifications',
      'os-hosts',
      'segments',
      'versions',
      'vmoves',
    ])
    expect((await ask('GET', '/v1/extensions/os-hosts', ADMIN)).json).toMatchObject({
      extension: { name: 'Hosts', alias: 'os-hosts', namespace: '', updated: '', links: [] },
    })
    expect((await ask('GET', '/v1/extensions/nothing', ADMIN)).status).toBe(404)
  })
})
