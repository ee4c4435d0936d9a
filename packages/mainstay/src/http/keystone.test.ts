import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { toJson } from '../core/json.ts'
import { KeystoneSession, TokenValidator, Transport } from '../openstack/index.ts'
import type { Arrival, Authenticate } from './authenticate.ts'
import { keystoneAuthentication } from './keystone.ts'

/** The two calls of Keystone that matter here, over a real socket, with what a test needs to see or to break. */
class SmallKeystone {
  readonly asked: string[] = []
  readonly bodies: string[] = []
  serviceTokens = 0
  answerWith: number | undefined
  /** Sent with a 200 instead of what is known of the token. */
  says: string | undefined
  expiresAt = '2026-01-01T01:00:00.000000Z'
  userId: string | undefined = 'u1'
  #server: Server

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return `http://127.0.0.1:${address.port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    response.setHeader('Content-Type', 'application/json')
    if (request.method === 'POST') {
      this.bodies.push(Buffer.concat(chunks).toString())
      this.serviceTokens += 1
      response.statusCode = 201
      response.setHeader('X-Subject-Token', `service-${this.serviceTokens}`)
      response.end(toJson({ token: { expires_at: this.expiresAt, user: { id: 'service' } } }))
      return
    }
    const subject = String(request.headers['x-subject-token'])
    this.asked.push(request.url?.endsWith('allow_expired=1') === true ? `${subject} expired too` : subject)
    if (request.headers['x-auth-token'] !== `service-${this.serviceTokens}`) response.statusCode = 401
    else if (this.answerWith !== undefined) response.statusCode = this.answerWith
    else if (!subject.startsWith('good')) response.statusCode = 404
    if (response.statusCode !== 200) {
      response.end('{}')
      return
    }
    if (this.says !== undefined) {
      response.end(this.says)
      return
    }
    response.end(
      toJson({
        token: {
          expires_at: subject.startsWith('good-old') ? '2025-12-31T23:00:00.000000Z' : this.expiresAt,
          user: { id: this.userId, name: 'alice', domain: { id: 'default' } },
          project: { id: 'p1', name: 'demo', domain: { id: 'default' } },
          roles: [{ id: 'r', name: subject.startsWith('good-nova') ? 'service' : 'admin' }],
        },
      }),
    )
  }
}

const signal = new AbortController().signal

function arrival(token?: string): Arrival {
  return {
    headers: token === undefined ? {} : { 'x-auth-token': token },
    requestId: 'req-1',
    globalRequestId: null,
    remoteAddress: '127.0.0.1',
    timestampMs: 0,
  }
}

describe('Keystone authentication (ha-api 4.1)', () => {
  let clock: ManualClock
  let keystone: SmallKeystone
  let authenticate: Authenticate
  let transport: Transport

  beforeEach(async () => {
    clock = new ManualClock(Date.UTC(2026, 0, 1))
    keystone = new SmallKeystone()
    transport = new Transport({ clock })
    const session = new KeystoneSession({
      clock,
      transport,
      authUrl: `${await keystone.listen()}/v3/`,
      credentials: {
        kind: 'password',
        userName: 'mainstay',
        password: 'secret',
        userDomain: { name: 'Default' },
        scope: { project: 'service', domain: { name: 'Default' } },
      },
    })
    authenticate = keystoneAuthentication({
      validator: new TokenValidator({ clock, session, cacheMs: 300_000, maxCached: 2 }),
      authenticateUri: 'http://keystone/v3',
      isAdmin: ({ roles }) => roles.includes('admin'),
    })
  })

  afterEach(async () => {
    transport[Symbol.dispose]()
    await keystone.close()
  })

  test('a valid token becomes a context', async () => {
    expect(await authenticate(arrival('good'), { signal })).toMatchObject({
      userId: 'u1',
      userName: 'alice',
      projectId: 'p1',
      projectName: 'demo',
      roles: ['admin'],
      isAdmin: true,
      authToken: 'good',
      authExpiresAtMs: expect.any(Number) as unknown,
    })
    expect(keystone.bodies[0]).toContain('"scope":{"project":{"name":"service","domain":{"name":"Default"}}}')
  })

  test('an answer is remembered until the time is over, and asked for once by many', async () => {
    await Promise.all(Array.from({ length: 5 }, () => authenticate(arrival('good'), { signal })))
    await authenticate(arrival('good'), { signal })
    expect(keystone.asked).toEqual(['good'])
    await clock.advance(300_001)
    await authenticate(arrival('good'), { signal })
    expect(keystone.asked).toEqual(['good', 'good'])
  })

  test('an answer is never remembered for longer than the token lives', async () => {
    keystone.expiresAt = '2026-01-01T00:01:00Z'
    await authenticate(arrival('good'), { signal })
    await clock.advance(60_001)
    await expect(authenticate(arrival('good'), { signal })).rejects.toThrow(/requires authentication/)
  })

  test('a service that vouches brings a user whose token has expired, and one that Keystone does not know nobody', async () => {
    const through = (token: string, service: string): Arrival => {
      const { headers, ...rest } = arrival(token)
      return { ...rest, headers: { ...headers, 'x-service-token': service } }
    }
    await expect(authenticate(arrival('good-old'), { signal })).rejects.toThrow(/requires authentication/)
    expect(await authenticate(through('good-old', 'good-nova'), { signal })).toMatchObject({ userId: 'u1' })
    expect(keystone.asked).toEqual(['good-old', 'good-nova', 'good-old expired too'])
    await expect(authenticate(through('good-old', 'good-admin'), { signal })).rejects.toThrow(/requires authentication/)
    await expect(authenticate(through('good', 'bad'), { signal })).rejects.toThrow(/requires authentication/)
    await expect(authenticate(through('good', 'good-old-nova'), { signal })).rejects.toThrow(/requires authentication/)
    expect(await authenticate(through('good', 'good-admin'), { signal })).toMatchObject({ userId: 'u1' })
  })

  test('only so many answers are remembered', async () => {
    for (const token of ['good-1', 'good-2', 'good-3', 'good-1']) await authenticate(arrival(token), { signal })
    expect(keystone.asked).toEqual(['good-1', 'good-2', 'good-3', 'good-1'])
  })

  test.each([undefined, '', 'bad'])('the token %j is refused with a challenge', async (token) => {
    await expect(authenticate(arrival(token), { signal })).rejects.toMatchObject({
      status: 401,
      challenge: 'Keystone uri="http://keystone/v3"',
    })
  })

  test('a token without a user is refused', async () => {
    keystone.userId = undefined
    await expect(authenticate(arrival('good'), { signal })).rejects.toMatchObject({ status: 401 })
  })

  test('a service token that Keystone no longer takes is replaced', async () => {
    await authenticate(arrival('good-1'), { signal })
    keystone.serviceTokens = 5
    await authenticate(arrival('good-2'), { signal })
    expect(keystone.serviceTokens).toBe(6)
  })

  test.each([500, 503, 403])('Keystone answering %i means 503 for the caller', async (status) => {
    keystone.answerWith = status
    await expect(authenticate(arrival('good'), { signal })).rejects.toMatchObject({ status: 503 })
  })

  test.each([
    ['nothing', '', 'something that is none'],
    ['an empty object', '{}', 'something that is none'],
    ['an empty token', '{"token":{}}', 'something that is none'],
    ['a token that never ends', '{"token":{"user":{"id":"u1"}}}', 'something that is none'],
    ['no JSON', '<html>', 'is not valid JSON'],
    ['60 MB', `{"token":"${'x'.repeat(60_000_000)}"}`, 'longer than 4194304 bytes'],
  ])('%s from Keystone is a 503 for the caller, and is not remembered', async (_what, says, reason) => {
    keystone.says = says
    const expected = { status: 503, message: expect.stringContaining(reason) as string }
    await expect(authenticate(arrival('good'), { signal })).rejects.toMatchObject(expected)
    keystone.says = undefined
    expect(await authenticate(arrival('good'), { signal })).toMatchObject({ userId: 'u1' })
  })

  test('Keystone not answering means 503 for the caller, and is not remembered', async () => {
    await keystone.close()
    await expect(authenticate(arrival('good'), { signal })).rejects.toMatchObject({ status: 503 })
  })
})
