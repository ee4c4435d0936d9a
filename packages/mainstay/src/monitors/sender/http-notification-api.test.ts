import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { parseJson, type Json } from '../../core/json.ts'
import { HttpNotificationApi, type HttpNotificationApiOptions } from './http-notification-api.ts'
import { fetchPost } from './http-post.ts'
import type { SpoolRecord } from './spool-entry.ts'
import { noAuthentication, staticToken } from './token-source.ts'

const record: SpoolRecord = {
  id: '01970000-0000-7000-8000-000000000001',
  subject: 'host:cn7',
  report: {
    type: 'COMPUTE_HOST',
    hostname: 'cn7',
    detectedAtMs: Date.UTC(2026, 10, 21, 3, 17, 53, 880),
    payload: { event: 'STOPPED', cluster_status: 'OFFLINE', host_status: 'NORMAL' },
  },
  firstSeenMs: 0,
  attempts: 0,
  lastError: null,
}

let server: Server
let endpoint: string
let requests: { method: string; url: string; headers: IncomingHttpHeaders; body: Json }[]
let answer: { status: number; headers?: Record<string, string>; body?: string } | 'nothing'

beforeEach(async () => {
  requests = []
  answer = { status: 202, body: '{}' }
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      requests.push({ method, url, headers, body: parseJson(Buffer.concat(chunks).toString(), 'the request') })
      if (answer !== 'nothing') response.writeHead(answer.status, answer.headers).end(answer.body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

function api(changed: Partial<HttpNotificationApiOptions> = {}): HttpNotificationApi {
  return new HttpNotificationApi({
    endpoint: async () => endpoint,
    tokens: noAuthentication,
    post: fetchPost,
    clock: new SystemClock(),
    timeoutMs: 5_000,
    ...changed,
  })
}

const signal = new AbortController().signal

describe('posting a notification', () => {
  test('SND-1, SND-2, SND-3 one object with exactly four members, the time of detection in UTC', async () => {
    expect(await api().post(record, { signal })).toEqual({
      kind: 'answered',
      status: 202,
      retryAfterMs: undefined,
      text: '{}',
    })
    expect(requests).toMatchObject([{ method: 'POST', url: '/v1/notifications' }])
    expect(requests[0]?.body).toEqual({
      notification: {
        type: 'COMPUTE_HOST',
        hostname: 'cn7',
        generated_time: '2026-11-21T03:17:53.880Z',
        payload: { event: 'STOPPED', cluster_status: 'OFFLINE', host_status: 'NORMAL' },
      },
    })
    expect(requests[0]?.headers).toMatchObject({ 'idempotency-key': record.id, 'content-type': 'application/json' })
    expect(requests[0]?.headers).not.toHaveProperty('x-auth-token')
  })

  test('SND-5 sends the token of its source', async () => {
    await api({ tokens: staticToken('s3cret') }).post(record, { signal })
    expect(requests[0]?.headers['x-auth-token']).toBe('s3cret')
  })

  test('asks for another token after a refusal', async () => {
    let issued = 0
    let current: string | undefined
    const source = api({
      tokens: {
        token: async () => (current ??= `token-${(issued += 1)}`),
        forget: () => (current = undefined),
      },
    })
    await source.post(record, { signal })
    await source.post(record, { signal })
    source.forgetToken()
    await source.post(record, { signal })
    expect(requests.map(({ headers }) => headers['x-auth-token'])).toEqual(['token-1', 'token-1', 'token-2'])
  })

  test('reads Retry-After and the text of a refusal', async () => {
    answer = { status: 503, headers: { 'retry-after': '7' }, body: 'later' }
    expect(await api().post(record, { signal })).toEqual({
      kind: 'answered',
      status: 503,
      retryAfterMs: 7_000,
      text: 'later',
    })
  })

  test('does not follow a redirect', async () => {
    answer = { status: 302, headers: { location: `${endpoint}/elsewhere` } }
    expect(await api().post(record, { signal })).toMatchObject({ kind: 'answered', status: 302 })
    expect(requests).toHaveLength(1)
  })

  test('says why nobody could be reached', async () => {
    server.close()
    await once(server, 'close')
    const outcome = await api().post(record, { signal })
    expect(outcome).toMatchObject({ kind: 'unreachable', text: expect.stringContaining('ECONNREFUSED') as string })
  })

  test('gives up an API that does not answer', async () => {
    answer = 'nothing'
    const outcome = await api({ timeoutMs: 50 }).post(record, { signal })
    expect(outcome).toMatchObject({ kind: 'unreachable', text: expect.stringContaining('50 ms') as string })
  })

  test('a token that cannot be had counts as an API that cannot be reached', async () => {
    const tokens = {
      token: async () => await Promise.reject(new Error('Keystone is away')),
      forget: () => undefined,
    }
    expect(await api({ tokens }).post(record, { signal })).toEqual({ kind: 'unreachable', text: 'Keystone is away' })
  })

  test('stops at once when told to', async () => {
    answer = 'nothing'
    const stop = new AbortController()
    const posting = api().post(record, { signal: stop.signal })
    await expect.poll(() => requests.length).toBe(1)
    stop.abort(new Error('stop'))
    await expect(posting).rejects.toThrow('stop')
  })
})
