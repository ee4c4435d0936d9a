import { describe, expect, test } from 'vitest'

import { InvalidInputError, TimeoutError } from '../core/errors.ts'
import { createClient } from './client.ts'
import { MainstayApiError, ServerUnreachableError, UnexpectedAnswerError } from './errors.ts'
import { answeringServer, type Reaction } from './testing/answering-server.ts'
import { Transport, type TransportOptions } from './transport.ts'
import type { TokenSource } from './token.ts'

const FAST = { retryMinDelayMs: 1, retryMaxDelayMs: 2 }
const SEGMENT = { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' } as const
const UNAVAILABLE: Reaction = { status: 503, body: { serviceUnavailable: { code: 503, message: 'later' } } }

function clientOf(endpoint: string, options: Partial<TransportOptions> = {}) {
  return createClient({ endpoint, ...FAST, ...options })
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('The call was expected to fail.')
}

describe('addresses', () => {
  test.each([
    ['http://h:1', 'http://h:1/v1/segments', 'http://h:1/api/v1/recoveries'],
    ['http://h:1/', 'http://h:1/v1/segments', 'http://h:1/api/v1/recoveries'],
    ['http://h:1/v1', 'http://h:1/v1/segments', 'http://h:1/api/v1/recoveries'],
    ['http://h:1/v1/0a1b', 'http://h:1/v1/0a1b/segments', 'http://h:1/api/v1/recoveries'],
    ['https://h/ha/v1/', 'https://h/ha/v1/segments', 'https://h/ha/api/v1/recoveries'],
    ['https://h/ha', 'https://h/ha/v1/segments', 'https://h/ha/api/v1/recoveries'],
  ])('of the endpoint %s', (endpoint, v1, native) => {
    const transport = new Transport({ endpoint })
    expect(transport.url({ api: 'v1', path: '/segments' })).toBe(v1)
    expect(transport.url({ api: 'root', path: '/api/v1/recoveries' })).toBe(native)
  })

  test.each(['', 'nonsense', '127.0.0.1:15868', 'ftp://h/'])('refuses the endpoint "%s"', (endpoint) => {
    expect(() => new Transport({ endpoint })).toThrow(InvalidInputError)
  })

  test('escapes what it is given', async () => {
    await using server = await answeringServer(() => ({ body: { segment: {} } }))
    await clientOf(server.endpoint).segments.show('a/b?c')
    expect(server.requests[0]?.path).toBe('/v1/segments/a%2Fb%3Fc')
  })
})

describe('what is sent', () => {
  test('the version is asked for on v1 and not on the native API (ha-api 3)', async () => {
    await using server = await answeringServer(() => ({ body: { segments: [], recoveries: [] } }))
    const client = clientOf(server.endpoint)
    await Array.fromAsync(client.segments.list())
    await client.recoveries.list()
    expect(server.requests.map(({ headers }) => headers['openstack-api-version'])).toEqual([
      'instance-ha 1.3',
      undefined,
    ])
    expect(server.requests.map(({ headers }) => headers['x-auth-token'])).toEqual([undefined, undefined])
  })

  test('the idempotency key of a report goes along (monitors 2.4)', async () => {
    await using server = await answeringServer(() => ({ status: 202, body: { notification: {} } }))
    const report = { type: 'VM', hostname: 'h', generated_time: '2026-01-01', payload: {} } as const
    await clientOf(server.endpoint).notifications.create(report, { idempotencyKey: 'k1' })
    expect(server.requests[0]).toMatchObject({ headers: { 'idempotency-key': 'k1' }, body: { notification: report } })
  })
})

describe('repeats', () => {
  test.each<[string, Reaction]>([
    ['503', UNAVAILABLE],
    ['a broken connection', 'hang-up'],
  ])('a read is tried again after %s', async (_name, reaction) => {
    await using server = await answeringServer((_request, nth) =>
      nth < 3 ? reaction : { body: { segment: { id: 1 } } },
    )
    expect(await clientOf(server.endpoint).segments.show('x')).toEqual({ id: 1 })
    expect(server.requests).toHaveLength(3)
  })

  test.each([400, 403, 404, 409, 500])('a read is not tried again after %i', async (status) => {
    await using server = await answeringServer(() => ({ status, body: {} }))
    expect(await failure(clientOf(server.endpoint).segments.show('x'))).toMatchObject({ status, retryable: false })
    expect(server.requests).toHaveLength(1)
  })

  test.each<Reaction>([UNAVAILABLE, 'hang-up'])('a create is sent once, whatever happens: %j', async (reaction) => {
    await using server = await answeringServer(() => reaction)
    await failure(clientOf(server.endpoint).segments.create(SEGMENT))
    expect(server.requests).toHaveLength(1)
  })

  test('a report with an idempotency key is sent again', async () => {
    await using server = await answeringServer((_request, nth) =>
      nth === 1 ? 'hang-up' : { status: 202, body: { notification: { id: 1 } } },
    )
    const report = { type: 'VM', hostname: 'h', generated_time: '2026-01-01', payload: {} } as const
    expect(await clientOf(server.endpoint).notifications.create(report, { idempotencyKey: 'k' })).toEqual({ id: 1 })
    expect(server.requests.map(({ headers }) => headers['idempotency-key'])).toEqual(['k', 'k'])
  })

  test('a delete whose answer was lost is done when the repeat finds nothing', async () => {
    await using server = await answeringServer((_request, nth) => (nth === 1 ? 'hang-up' : { status: 404, body: {} }))
    await clientOf(server.endpoint).segments.delete('x')
    expect(server.requests.map(({ method }) => method)).toEqual(['DELETE', 'DELETE'])
  })

  test('a first delete that finds nothing fails', async () => {
    await using server = await answeringServer(() => ({ status: 404, body: {} }))
    expect(await failure(clientOf(server.endpoint).segments.delete('x'))).toMatchObject({ status: 404 })
  })
})

describe('time', () => {
  test('a silent server is given up after the time-out', async () => {
    await using server = await answeringServer(() => 'silence')
    const error = await failure(clientOf(server.endpoint, { timeoutMs: 30, retries: 0 }).segments.show('x'))
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ message: expect.stringContaining('GET /segments/x') as string })
  })

  test('the caller may give up first, and gets its own reason', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    await using server = await answeringServer(() => {
      controller.abort(reason)
      return 'silence'
    })
    expect(await failure(clientOf(server.endpoint).segments.show('x', { signal: controller.signal }))).toBe(reason)
    expect(server.requests).toHaveLength(1)
  })
})

describe('answers that are none', () => {
  test('nobody listens', async () => {
    const gone = await answeringServer(() => 'hang-up')
    await gone[Symbol.asyncDispose]()
    const error = await failure(clientOf(gone.endpoint, { retries: 0 }).segments.show('x'))
    expect(error).toBeInstanceOf(ServerUnreachableError)
    expect(error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') as string, endpoint: gone.endpoint })
  })

  test.each<[string, Reaction]>([
    ['no JSON', { body: '<html>' }],
    ['no wrapper', { body: { host: {} } }],
    ['no object in the wrapper', { body: { segment: [] } }],
    ['no body', {}],
  ])('%s', async (_name, reaction) => {
    await using server = await answeringServer(() => reaction)
    expect(await failure(clientOf(server.endpoint).segments.show('x'))).toBeInstanceOf(UnexpectedAnswerError)
  })

  test('a redirect is an error, because the token must not go along', async () => {
    await using elsewhere = await answeringServer(() => ({ body: { segment: {} } }))
    await using server = await answeringServer(() => ({ status: 307, headers: { location: elsewhere.endpoint } }))
    const tokens: TokenSource = { token: async () => 'secret' }
    const error = await failure(clientOf(server.endpoint, { tokens }).segments.show('x'))
    expect(error).toBeInstanceOf(MainstayApiError)
    expect(error).toMatchObject({ status: 307 })
    expect(elsewhere.requests).toEqual([])
  })
})

describe('tokens', () => {
  test('a refused token is replaced once, also for a create', async () => {
    const refused: (string | undefined)[] = []
    const tokens: TokenSource = {
      token: async (options) => {
        refused.push(options.refused)
        return options.refused === undefined ? 'old' : 'new'
      },
    }
    await using server = await answeringServer(({ headers }) =>
      headers['x-auth-token'] === 'new' ? { status: 201, body: { segment: { id: 1 } } } : { status: 401, body: {} },
    )
    expect(await clientOf(server.endpoint, { tokens }).segments.create(SEGMENT)).toEqual({ id: 1 })
    expect(refused).toEqual([undefined, 'old'])
  })

  test('a token for which there is no other is refused for good', async () => {
    await using server = await answeringServer(() => ({ status: 401, body: {} }))
    const tokens: TokenSource = { token: async () => 'only' }
    expect(await failure(clientOf(server.endpoint, { tokens }).segments.show('x'))).toMatchObject({ status: 401 })
    expect(server.requests).toHaveLength(1)
  })
})

describe('native API', () => {
  test('a recovery is shown and told what to do, a death is asserted', async () => {
    await using server = await answeringServer(() => ({ body: { id: 'r1' } }))
    const client = clientOf(server.endpoint)
    expect(await client.recoveries.show('r1')).toEqual({ id: 'r1' })
    for (const action of ['approve', 'cancel', 'retry'] as const)
      await client.recoveries.act('r1', action, { reason: 'w' })
    await client.fences.assertDead({ host: 'h', reason: 'w', assertedBy: 'me' })
    for (const action of ['enable', 'disable'] as const) await client.computeHosts.act('h 1', action, { reason: 'w' })
    expect(server.requests.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['GET', '/api/v1/recoveries/r1', null],
      ['POST', '/api/v1/recoveries/r1/approve', { reason: 'w' }],
      ['POST', '/api/v1/recoveries/r1/cancel', { reason: 'w' }],
      ['POST', '/api/v1/recoveries/r1/retry', { reason: 'w' }],
      ['POST', '/api/v1/fences', { host: 'h', reason: 'w', assertedBy: 'me' }],
      ['POST', '/api/v1/compute-hosts/h%201/enable', { reason: 'w' }],
      ['POST', '/api/v1/compute-hosts/h%201/disable', { reason: 'w' }],
    ])
  })

  test('recoveries are chosen by status, host and number', async () => {
    await using server = await answeringServer(() => ({ body: { recoveries: [{ id: 'r1' }] } }))
    const found = await clientOf(server.endpoint).recoveries.list({ status: 'held', host: 'h 1', limit: 5 })
    expect(found).toEqual([{ id: 'r1' }])
    expect(server.requests[0]?.path).toBe('/api/v1/recoveries?status=held&host=h+1&limit=5')
  })
})
