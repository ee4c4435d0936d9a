import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { createClient, type MainstayClient } from '../client.ts'
import type { Reaction, SeenRequest } from '../testing/answering-server.ts'
import {
  grantedAgo,
  LEASE_MS,
  leaseServer,
  type LeaseCall,
  type LeaseReaction,
  type LeaseServer,
} from '../testing/lease-server.ts'

// Time passes in small steps between which the network is waited for.
vi.setConfig({ testTimeout: 30_000 })

interface Asking {
  readonly clock: ManualClock
  readonly server: LeaseServer
  readonly client: MainstayClient
}

async function asking(react: (call: LeaseCall, request: SeenRequest) => LeaseReaction): Promise<Asking> {
  const clock = new ManualClock()
  const server = await leaseServer(react)
  onTestFinished(async () => await server[Symbol.asyncDispose]())
  return { clock, server, client: createClient({ endpoint: server.endpoint, clock, retries: 0 }) }
}

/** Lets time pass until a promise has ended, and says how. */
async function settled(clock: ManualClock, work: Promise<unknown>): Promise<unknown> {
  let outcome: { readonly value: unknown } | null = null
  work.then(
    () => void (outcome = { value: 'done' }),
    (error: unknown) => void (outcome = { value: error }),
  )
  await vi.waitUntil(
    async () => {
      if (outcome === null) await clock.advance(100)
      return outcome !== null
    },
    { timeout: 20_000, interval: 5 },
  )
  return outcome!.value
}

const WAITING: Reaction = { status: 202, body: { requestId: 'r', request: {}, refusals: [] } }
const UNKNOWN: Reaction = { status: 404, body: { error: { code: 'MS_POOL_REQUEST_NOT_FOUND', message: 'none' } } }
const ENDED: Reaction = { status: 409, body: { error: { code: 'MS_POOL_REQUEST_ENDED', message: 'granted' } } }
const REFUSED: Reaction = { status: 409, body: { error: { code: 'MS_POOL_REQUEST_REFUSED', message: 'cancelled' } } }
const TROUBLE: Reaction = { status: 500, body: { error: { code: 'MS_X', message: 'no' } } }
const ENOUGH = new Error('enough')

describe('C4 a wait whose polls are answered at once', () => {
  test.each([
    ['while there is time', 60_000],
    ['after the end of the wait', 1],
  ])('C4 is asked about again with a pause, %s', async (_, waitMs) => {
    const { clock, server, client } = await asking((call) => (call === 'leases' ? WAITING : null))
    const stop = new AbortController()
    const acquiring = settled(clock, client.pools.grant({ worker: 'w', waitMs }, { signal: stop.signal }))
    await vi.waitUntil(() => clock.monotonic() >= 10_000, { timeout: 20_000 })
    // Pauses of 50 ms, twice as long each time, and a second from then on.
    expect(server.count('leases')).toBeLessThanOrEqual(5 + 11)
    expect(server.count('leases')).toBeGreaterThan(3)
    stop.abort(ENOUGH)
    expect(await acquiring).toBe(ENOUGH)
  })
})

describe('C4 an acquire that is given up', () => {
  /** Gives up while the answer to the request for machines is on its way. */
  async function giveUp({ clock, server, client }: Asking): Promise<void> {
    const stop = new AbortController()
    const acquiring = client.pools.acquire({ worker: 'w', requestId: 'r' }, { signal: stop.signal })
    acquiring.catch(() => undefined)
    await vi.waitUntil(() => server.count('leases') === 1)
    stop.abort(ENOUGH)
    expect(await settled(clock, acquiring)).toBe(ENOUGH)
  }

  /** Answers to the look at the request, after the call that hangs. */
  const leases = (method: string): LeaseReaction => (method === 'POST' ? 'silence' : null)

  test('C4 gives back what was granted meanwhile', async () => {
    const asked = await asking((call, { method }) =>
      call === 'leases' ? leases(method) : call === 'cancel' ? ENDED : null,
    )
    await giveUp(asked)
    // Nobody waits for a check of what nobody wants.
    expect(asked.server.requests.at(-2)!.path).toBe('/api/v1/pools/leases/r?pollMs=0&check=false')
    const { method, path, body } = asked.server.requests.at(-1)!
    expect([method, path, body]).toEqual(['POST', '/api/v1/pools/vms/m1/release', { token: 't1', failed: false }])
  })

  test('C4 leaves the queue and asks for nothing more where it was not granted', async () => {
    const asked = await asking((call, { method }) => (call === 'leases' ? leases(method) : null))
    await giveUp(asked)
    expect(asked.server.requests.at(-1)!.path).toBe('/api/v1/pools/requests/r/cancel')
  })

  test.each<[string, Reaction]>([
    ['trouble', TROUBLE],
    ['a connection that breaks', 'hang-up'],
    ['a request that the server does not know yet', UNKNOWN],
  ])('C4 tries again after %s', async (_, first) => {
    const answers = [first]
    const asked = await asking((call, { method }) =>
      call === 'leases' ? leases(method) : call === 'cancel' ? (answers.shift() ?? ENDED) : null,
    )
    await giveUp(asked)
    expect([asked.server.count('cancel'), asked.server.count('release')]).toEqual([2, 1])
  })

  test('C4 does not give back what ended without a machine, or is gone already', async () => {
    const refused = await asking((call, { method }) =>
      call === 'leases' ? (method === 'POST' ? 'silence' : REFUSED) : call === 'cancel' ? ENDED : null,
    )
    await giveUp(refused)
    expect(refused.server.count('release')).toBe(0)
  })

  test.each<[string, number, number]>([
    ['before it asked: its holder may be another, and at work', 3_600_000, 0],
    ['since it asked', 0, 1],
  ])('C4 C5 gives back under an id of its caller what was granted %s', async (_, agoMs, releases) => {
    const held: Reaction = { status: 201, body: { leases: [grantedAgo(agoMs, LEASE_MS)] } }
    const asked = await asking((call, { method }) =>
      call === 'leases' ? (method === 'POST' ? 'silence' : held) : call === 'cancel' ? ENDED : null,
    )
    await giveUp(asked)
    expect(asked.server.count('release')).toBe(releases)
  })

  test('C4 before it was begun asks for nothing', async () => {
    const { server, client } = await asking(() => null)
    await expect(client.pools.acquire({ worker: 'w' }, { signal: AbortSignal.abort(ENOUGH) })).rejects.toBe(ENOUGH)
    expect(server.requests).toEqual([])
  })

  test('C4 is not kept for a request that the server does not know', async () => {
    const asked = await asking((call) => (call === 'leases' ? 'silence' : call === 'cancel' ? UNKNOWN : null))
    await giveUp(asked)
    expect([asked.server.count('cancel'), asked.server.count('release')]).toEqual([2, 0])
  })

  test('C4 does not wait for ever for a server that is silent', async () => {
    const asked = await asking(() => 'silence')
    await giveUp(asked)
    expect(asked.clock.monotonic()).toBeLessThanOrEqual(11_000)
  })
})

describe('C4 an acquire that gets no answer', () => {
  /** How a call for machines ends that no answer comes to. */
  async function failed(asked: Asking, requestId?: string): Promise<unknown> {
    return await settled(asked.clock, asked.client.pools.acquire({ worker: 'w', requestId }))
  }

  const WITHOUT_ANSWER: [string, Reaction, string][] = [
    ['in time', 'silence', 'MS_TIMEOUT'],
    ['because the connection broke', 'hang-up', 'MS_SERVER_UNREACHABLE'],
    ['because a proxy gave up', { status: 504 }, 'MS_API_REFUSED'],
  ]

  test.each(WITHOUT_ANSWER)(
    'C4 %s touches nothing under an id of its caller, who may ask again',
    async (_, reaction, code) => {
      const asked = await asking((call) => (call === 'leases' ? reaction : null))
      expect(await failed(asked, 'r')).toMatchObject({ code })
      expect(asked.server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
        'POST /api/v1/pools/leases',
      ])
    },
  )

  test.each(WITHOUT_ANSWER)('C4 %s gives back what was granted meanwhile', async (_, reaction, code) => {
    const asked = await asking((call, { method }) =>
      call === 'leases' ? (method === 'POST' ? reaction : null) : call === 'cancel' ? ENDED : null,
    )
    expect(await failed(asked)).toMatchObject({ code })
    expect(asked.server.count('release')).toBe(1)
  })

  test('C4 in time looks for its request until it turns up: a slow server may only now grant it', async () => {
    let looks = 0
    const asked = await asking((call, { method }) => {
      if (call === 'leases') return method === 'POST' ? 'silence' : null
      return call === 'cancel' ? ((looks += 1) < 5 ? UNKNOWN : ENDED) : null
    })
    expect(await failed(asked)).toMatchObject({ code: 'MS_TIMEOUT' })
    expect([asked.server.count('cancel'), asked.server.count('release')]).toEqual([5, 1])
  })

  test('C4 and nothing but trouble afterwards asks three times more, for no longer than two seconds', async () => {
    const asked = await asking(() => TROUBLE)
    expect(await failed(asked)).toMatchObject({ status: 500 })
    expect([asked.server.count('leases'), asked.server.count('cancel'), asked.server.count('release')]).toEqual([
      1, 3, 0,
    ])
    expect(asked.clock.monotonic()).toBeLessThanOrEqual(2500)
  })

  test.each<[string, Reaction]>([
    ['silence', 'silence'],
    ['broken connections', 'hang-up'],
  ])('C4 because the connection broke, and %s afterwards, keeps its caller for two seconds', async (_, afterwards) => {
    const asked = await asking((call) => (call === 'leases' ? 'hang-up' : afterwards))
    expect(await failed(asked)).toMatchObject({ code: 'MS_SERVER_UNREACHABLE' })
    expect(asked.clock.monotonic()).toBeLessThanOrEqual(2500)
    expect(asked.clock.monotonic()).toBeGreaterThanOrEqual(2000)
  })

  test.each<[string, Reaction]>([
    ['while a call hangs', 'silence'],
    ['between two calls', 'hang-up'],
  ])('C4 is not insisted on when its caller gives up meanwhile, %s', async (_, reaction) => {
    const asked = await asking((call) => (call === 'leases' ? { status: 504 } : reaction))
    const stop = new AbortController()
    const acquiring = asked.client.pools.acquire({ worker: 'w' }, { signal: stop.signal })
    acquiring.catch(() => undefined)
    await vi.waitUntil(() => asked.server.count('cancel') === 1)
    // Time stands still: only the signal can end it.
    stop.abort(ENOUGH)
    await expect(acquiring).rejects.toMatchObject({ status: 504 })
  })

  test.each<[string, Reaction]>([
    ['refused', { status: 409, body: { error: { code: 'MS_POOL_UNAVAILABLE', message: 'no' } } }],
    ['impossible', { status: 422, body: { error: { code: 'MS_POOL_REQUEST_IMPOSSIBLE', message: 'no' } } }],
  ])('C4 but is %s leaves nothing behind and asks for nothing more', async (_, reaction) => {
    const asked = await asking((call) => (call === 'leases' ? reaction : null))
    await failed(asked)
    expect(asked.server.requests).toHaveLength(1)
  })
})
