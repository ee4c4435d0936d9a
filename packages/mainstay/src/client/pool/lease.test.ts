import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { createClient } from '../client.ts'
import type { Reaction } from '../testing/answering-server.ts'
import {
  LEASE_GONE,
  LEASE_MS,
  leaseServer,
  MACHINE_GONE,
  type LeaseReaction,
  type LeaseCall,
  type LeaseServer,
} from '../testing/lease-server.ts'
import { LeaseLostError, LeaseReleaseUnconfirmedError } from './errors.ts'
import type { PoolLease } from './lease.ts'

// Time passes in small steps between which the network is waited for.
vi.setConfig({ testTimeout: 30_000 })

interface Held {
  readonly clock: ManualClock
  readonly server: LeaseServer
  readonly lease: PoolLease
}

/** A lease of a minute, of which a sign of life is sent each 20 s, on a clock that the test moves. */
async function held(react?: (call: LeaseCall) => LeaseReaction, leaseMs = LEASE_MS): Promise<Held> {
  const clock = new ManualClock()
  const server = await leaseServer(react, { leaseMs })
  onTestFinished(async () => await server[Symbol.asyncDispose]())
  const client = createClient({ endpoint: server.endpoint, clock, retries: 0 })
  const lease = await client.pools.acquire({ worker: 'w' })
  return { clock, server, lease }
}

/** Lets time pass in small steps until something is so; a step waits for the network, of which the clock knows nothing. */
async function passUntil(clock: ManualClock, holds: () => boolean, stepMs = 100): Promise<void> {
  await vi.waitUntil(
    async () => {
      if (!holds()) await clock.advance(stepMs)
      return holds()
    },
    { timeout: 20_000, interval: 5 },
  )
}

/** How a promise ended, after as much time as it took. */
async function settled(clock: ManualClock, work: Promise<unknown>): Promise<unknown> {
  let outcome: { readonly value: unknown } | null = null
  const over = work.then(
    () => void (outcome = { value: 'done' }),
    (error: unknown) => void (outcome = { value: error }),
  )
  await passUntil(clock, () => outcome !== null)
  await over
  return outcome!.value
}

const unavailable = (status: number): Reaction => ({ status, body: { error: { code: 'MS_X', message: 'no' } } })

describe('C5 a lease whose signs of life are not answered', () => {
  test.each([3000, LEASE_MS])('C5 of %i ms is lost at its end, whatever call hangs', async (leaseMs) => {
    const { clock, lease } = await held((call) => (call === 'heartbeat' ? 'silence' : null), leaseMs)
    await clock.advance(leaseMs - 1)
    expect(lease.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError)
    expect(String(lease.signal.reason)).toContain('no answer came until it was over')
  })

  test('C5 shows life again when one is not answered within a third of the lease', async () => {
    const hung: LeaseReaction[] = ['silence']
    const { clock, server, lease } = await held((call) => (call === 'heartbeat' ? (hung.shift() ?? null) : null))
    await passUntil(clock, () => server.count('heartbeat') === 2)
    expect(clock.monotonic()).toBeLessThan(LEASE_MS)
    await passUntil(clock, () => server.count('heartbeat') === 6, 1000)
    expect(lease.signal.aborted).toBe(false)
    await lease.release()
  })

  test('C5 a sign of life counts from when it was sent, not from its late answer', async () => {
    const answer = Promise.withResolvers<null>()
    let beats = 0
    const { clock, server, lease } = await held((call) => {
      if (call !== 'heartbeat') return null
      beats += 1
      return beats === 1 ? answer.promise : 'silence'
    })
    // Sent at 20 s and answered at 35 s: it holds until 80 s.
    await clock.advance(20_000)
    await vi.waitUntil(() => server.count('heartbeat') === 1)
    await clock.advance(15_000)
    answer.resolve(null)
    await vi.waitUntil(() => clock.pending === 2)
    await clock.advance(44_999)
    expect(lease.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(lease.signal.aborted).toBe(true)
  })

  test('C5 a grant whose answer was long on its way is confirmed before it is believed', async () => {
    const clock = new ManualClock()
    const answer = Promise.withResolvers<null>()
    await using server = await leaseServer((call) => (call === 'leases' ? answer.promise : null))
    const client = createClient({ endpoint: server.endpoint, clock, retries: 0 })
    const acquiring = client.pools.acquire({ worker: 'w', waitMs: 100_000 })
    await vi.waitUntil(() => server.count('leases') === 1)
    await clock.advance(29_000)
    answer.resolve(null)
    await using lease = await acquiring
    expect(server.count('heartbeat')).toBe(1)
    await clock.advance(LEASE_MS / 3 - 1)
    expect(lease.signal.aborted).toBe(false)
  })
})

describe('C5 what a sign of life may be answered', () => {
  test.each([400, 401, 404, 409, 413, 429, 500, 502, 503])(
    'C5 %i once, which says nothing of the lease, does not end it',
    async (status) => {
      const once: Reaction[] = [unavailable(status)]
      const { clock, server, lease } = await held((call) => (call === 'heartbeat' ? (once.shift() ?? null) : null))
      await passUntil(clock, () => server.count('heartbeat') === 5, 1000)
      expect(lease.signal.aborted).toBe(false)
      await lease.release()
      expect(server.count('release')).toBe(1)
    },
  )

  test('C5 500 to all of them ends it when it is over, not before', async () => {
    const { clock, lease } = await held((call) => (call === 'heartbeat' ? unavailable(500) : null))
    await passUntil(clock, () => lease.signal.aborted, 1000)
    expect(clock.monotonic()).toBe(LEASE_MS)
  })

  test.each<[string, Reaction]>([
    ['409 with its code', LEASE_GONE],
    ['404 with its code', MACHINE_GONE],
    ['403', unavailable(403)],
  ])('C5 %s ends it at once', async (_, reaction) => {
    const { clock, lease } = await held((call) => (call === 'heartbeat' ? reaction : null))
    await clock.advance(LEASE_MS / 3)
    await vi.waitUntil(() => lease.signal.aborted)
    expect(String(lease.signal.reason)).toContain('the server refused the sign of life')
  })
})

describe('C5 giving a machine back', () => {
  test.each<[string, Reaction]>([
    ['a connection that breaks', 'hang-up'],
    ['a server without its store', unavailable(503)],
    ['a server in trouble', unavailable(500)],
    ['no answer', 'silence'],
  ])('C5 is repeated after %s, and shows no life afterwards', async (_, reaction) => {
    const failures: Reaction[] = [reaction, reaction]
    const { clock, server, lease } = await held((call) => (call === 'release' ? (failures.shift() ?? null) : null))
    expect(await settled(clock, lease.release())).toBe('done')
    expect(server.count('release')).toBe(3)
    const beats = server.count('heartbeat')
    await clock.advance(10 * LEASE_MS)
    expect([server.count('heartbeat'), lease.signal.aborted]).toEqual([beats, false])
  })

  test('C5 shows life for as long as it is not confirmed', async () => {
    let away = true
    const { clock, server, lease } = await held((call) => (call === 'release' && away ? 'silence' : null))
    const releasing = lease.release()
    await passUntil(clock, () => server.count('heartbeat') === 2)
    away = false
    expect(await settled(clock, releasing)).toBe('done')
  })

  test('C5 one that was carried out, and of which only the answer was lost, is done', async () => {
    const answers: Reaction[] = ['hang-up', LEASE_GONE]
    const { clock, lease } = await held((call) => (call === 'release' ? answers.shift()! : null))
    expect(await settled(clock, lease.release())).toBe('done')
    expect(lease.signal.aborted).toBe(false)
  })

  test('C5 ends when the lease would have, and says what becomes of the machine; the end of the block tries again', async () => {
    let broken = true
    const { clock, server, lease } = await held((call) => (call === 'release' && broken ? unavailable(500) : null))
    const error = await settled(clock, lease.release())
    expect(error).toBeInstanceOf(LeaseReleaseUnconfirmedError)
    expect(String(error)).toMatch(/m1 was not given back.*takes it back by itself/)
    expect(clock.monotonic()).toBeLessThanOrEqual(LEASE_MS + 1000)
    const tried = server.count('release')
    broken = false
    expect(await settled(clock, lease[Symbol.asyncDispose]())).toBe('done')
    expect(server.count('release')).toBe(tried + 1)
  })

  test('C5 does not outlast a server that is silent for good', async () => {
    const { clock, lease } = await held((call) => (call === 'leases' ? null : 'silence'))
    const error = await settled(clock, lease[Symbol.asyncDispose]())
    expect(error).toBeInstanceOf(LeaseReleaseUnconfirmedError)
    expect(clock.monotonic()).toBeLessThanOrEqual(LEASE_MS + 100)
    expect(lease.signal.aborted).toBe(true)
  })

  test('C5 is done once: of two at the same time, and at the end of the block', async () => {
    const { server, lease } = await held()
    await Promise.all([lease.release(), lease.release()])
    await lease[Symbol.asyncDispose]()
    expect(server.count('release')).toBe(1)
    await expect(lease.giveUp('late')).rejects.toBeInstanceOf(LeaseLostError)
  })

  test('C5 a machine that is given up is so again until it is confirmed', async () => {
    const failures: Reaction[] = ['hang-up']
    const { clock, server, lease } = await held((call) => (call === 'give-up' ? (failures.shift() ?? null) : null))
    expect(await settled(clock, lease.giveUp('broken'))).toBe('done')
    expect(server.count('give-up')).toBe(2)
  })
})
