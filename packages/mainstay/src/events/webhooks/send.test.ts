import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'

import { describe, expect, test } from 'vitest'

import { answeringServer, type Reaction } from '../../client/testing/answering-server.ts'
import { ManualClock, SystemClock } from '../../core/clock.ts'
import { Sender, type Answer } from './send.ts'
import { targetRules } from './target.ts'

const LOOPBACK = targetRules(['127.0.0.1'])
const PATIENT_MS = 20_000

/** What a resolver answers at each question in turn; the last one from then on. */
function names(...answers: readonly (readonly string[])[]): LookupFunction & { asked: number } {
  const resolve: LookupFunction = (_host, _options, callback) => {
    const addresses = answers[Math.min(resolver.asked, answers.length - 1)] ?? []
    resolver.asked += 1
    callback(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  const resolver = Object.assign(resolve, { asked: 0 })
  return resolver
}

async function post(
  url: string,
  {
    rules = LOOPBACK,
    resolve,
    timeoutMs = PATIENT_MS,
    signal = new AbortController().signal,
    clock,
  }: {
    rules?: typeof LOOPBACK
    resolve?: LookupFunction
    timeoutMs?: number
    signal?: AbortSignal
    clock?: ManualClock
  } = {},
): Promise<Answer> {
  using sender = new Sender({ rules, clock: clock ?? new SystemClock(), resolve })
  return await sender.send({ url, headers: { 'webhook-id': 'x' }, body: '{"ä":1}', timeoutMs, signal })
}

describe('sending a delivery (R39)', () => {
  test('R39 posts the body with its headers and brings back the status', async () => {
    await using server = await answeringServer(() => ({ status: 201, body: { any: 'thing' } }))
    expect(await post(`${server.endpoint}/in?x=1`)).toEqual({ kind: 'answered', status: 201, retryAfter: undefined })
    expect(server.requests).toMatchObject([
      { method: 'POST', path: '/in?x=1', headers: { 'webhook-id': 'x', 'content-length': '8' }, body: { ä: 1 } },
    ])
  })

  test('R39 follows no redirect', async () => {
    await using elsewhere = await answeringServer(() => ({}))
    const react = (): Reaction => ({ status: 307, headers: { location: elsewhere.endpoint } })
    await using server = await answeringServer(react)
    expect(await post(server.endpoint)).toMatchObject({ kind: 'answered', status: 307 })
    expect(elsewhere.requests).toEqual([])
  })

  test('R39 brings back Retry-After', async () => {
    await using server = await answeringServer(() => ({ status: 503, headers: { 'retry-after': '7' } }))
    expect(await post(server.endpoint)).toEqual({ kind: 'answered', status: 503, retryAfter: '7' })
  })

  test('says that a receiver hung up, or that nobody listens', async () => {
    const server = await answeringServer(() => 'hang-up')
    expect(await post(server.endpoint)).toMatchObject({ kind: 'failed' })
    await server[Symbol.asyncDispose]()
    expect(await post(server.endpoint)).toMatchObject({ kind: 'failed', reason: expect.stringContaining('REFUSED') })
  })

  test('R39 gives up a receiver that is silent for 10 s', async () => {
    const clock = new ManualClock()
    await using server = await answeringServer(() => 'silence')
    const answer = post(server.endpoint, { clock, timeoutMs: 10_000 })
    await expect.poll(() => server.requests.length, { timeout: PATIENT_MS }).toBe(1)
    await clock.advance(10_000)
    expect(await answer).toMatchObject({ kind: 'failed', reason: expect.stringContaining('10000 ms') })
  })

  test('ends with the reason of its signal', async () => {
    const stop = new AbortController()
    await using server = await answeringServer(() => 'silence')
    const answer = post(server.endpoint, { signal: stop.signal })
    await expect.poll(() => server.requests.length, { timeout: PATIENT_MS }).toBe(1)
    stop.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
  })

  test('a body that is endless does not matter: the status was the answer', async () => {
    await using server = await answeringServer(() => ({ status: 200, body: 'x'.repeat(1_000_000) }))
    expect(await post(server.endpoint)).toMatchObject({ kind: 'answered', status: 200 })
  })
})

describe('where deliveries may go, looked at when connecting (R39)', () => {
  test('R39 an address that is not allowed is never connected to, and neither is a name that leads there', async () => {
    await using server = await answeringServer(() => ({}))
    const { port } = new URL(server.endpoint)
    const rules = targetRules()
    const refused = { kind: 'failed', reason: expect.stringContaining('private') }
    expect(await post(server.endpoint, { rules })).toMatchObject(refused)
    const resolve = names(['127.0.0.1'], ['::1'], ['10.0.0.1', 'fe80::1'])
    for (let nth = 0; nth < 3; nth += 1) {
      expect(await post(`http://hooks.example.org:${port}/`, { rules, resolve })).toMatchObject(refused)
    }
    expect(await post(`http://localhost:${port}/`, { rules })).toMatchObject(refused)
    expect(server.requests).toEqual([])
  })

  test('R39 a name that changes its address between two looks gains nothing: there is one look for each connection', async () => {
    await using server = await answeringServer(() => ({}))
    const { port } = new URL(server.endpoint)
    const url = `http://hooks.example.org:${port}/`
    // First an address that is allowed, and for whoever asked a second time one that is not.
    const resolve = names(['127.0.0.1'], ['127.0.0.2'])
    expect(await post(url, { resolve })).toMatchObject({ kind: 'answered' })
    expect(resolve.asked).toBe(1)
    expect(await post(url, { resolve })).toMatchObject({ kind: 'failed', reason: expect.stringContaining('127.0.0.2') })
    expect(server.requests).toHaveLength(1)
  })

  test('R39 of several addresses only those that are allowed are tried', async () => {
    await using server = await answeringServer(() => ({}))
    const { port } = new URL(server.endpoint)
    const resolve = names(['10.0.0.1', '127.0.0.1', '169.254.169.254'])
    expect(await post(`http://hooks.example.org:${port}/`, { resolve })).toMatchObject({ kind: 'answered' })
  })

  test('a name that nobody knows is a failure like any other', async () => {
    const resolve: LookupFunction = (host, _options, callback) => callback(new Error(`ENOTFOUND ${host}`), '')
    expect(await post('http://gone.example.org/', { resolve })).toEqual({
      kind: 'failed',
      reason: 'ENOTFOUND gone.example.org',
    })
  })
})
