import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { createClient, LeaseLostError, MainstayApiError, type MainstayClient } from '../../client/index.ts'
import { fixedToken } from '../../client/index.ts'
import { TimeoutError } from '../../core/errors.ts'
import { labelOptions } from '../testing/counts.ts'
import { servePool, type ServedPool } from '../testing/served-pool.ts'

// Every test has a pool of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

let pool: ServedPool
let client: MainstayClient

/** A client of an admin; `fetch` adds who it is. */
function clientOf({ url }: ServedPool): MainstayClient {
  return createClient({
    endpoint: url,
    tokens: fixedToken('none'),
    fetch: async (input, init) => {
      const headers = { ...(init?.headers as Record<string, string>), 'x-admin': 'yes', 'x-user': 'root' }
      return await fetch(input, { ...init, headers })
    },
  })
}

beforeEach(async () => {
  // A lease of 1200 ms has a sign of life each 400 ms.
  const group = { id: 'g', leaseMs: 1200, graceMs: 600, maxTotal: 2, dirtyPolicy: 'reset' } as const
  pool = await servePool({ groups: [group], labels: [labelOptions({ label: 'g', minReady: 1 })] })
  client = clientOf(pool)
})

afterEach(async () => {
  await pool[Symbol.asyncDispose]()
})

const stateOf = async (name: string): Promise<string | undefined> => (await pool.store.get(name))?.state
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  await vi.waitUntil(holds, { timeout: 20_000, interval: 10 })
}

describe('C5 a lease of the client library', () => {
  test('C5 shows life by itself for as long as it is held, and is given back at the end of its block', async () => {
    let name = ''
    {
      await using lease = await client.pools.acquire({ worker: 'w', waitMs: 20_000 })
      ;({ name } = lease)
      const { leaseExpiresAt: first } = (await pool.store.get(name))!
      // Longer than lease and grace together: without signs of life it would be lost.
      await until(async () => ((await pool.store.get(name))?.leaseExpiresAt ?? 0) > first! + 1800)
      expect(lease.signal.aborted).toBe(false)
      expect(await stateOf(name)).toBe('in_use')
    }
    expect(await stateOf(name)).not.toBe('in_use')
  })

  test('C5 a machine that was taken away aborts the signal, and the block ends without an error', async () => {
    {
      await using lease = await client.pools.acquire({ worker: 'w', waitMs: 20_000 })
      await pool.pool.operator.delete([lease.name], { force: true, reason: 'test' })
      await until(() => lease.signal.aborted)
      expect(lease.signal.reason).toBeInstanceOf(LeaseLostError)
    }
    expect((await client.pools.list()).every(({ state }) => state !== 'in_use')).toBe(true)
  })

  test('C5 a release that comes too late is refused', async () => {
    const lease = await client.pools.acquire({ worker: 'w', waitMs: 20_000 })
    await pool.pool.operator.delete([lease.name], { force: true, reason: 'test' })
    await expect(lease.release()).rejects.toBeInstanceOf(LeaseLostError)
    expect(lease.signal.aborted).toBe(true)
  })

  test('C5 kill -9 of a client: without signs of life its machine is taken back', async () => {
    const [granted] = await client.pools.grant({ worker: 'w', waitMs: 20_000 })
    await until(async () => (await pool.store.get(granted!.name)) === null)
    await expect(client.pools.release(granted!)).rejects.toMatchObject({ status: 404 })
    await expect(client.pools.heartbeat(granted!)).rejects.toBeInstanceOf(MainstayApiError)
  })

  test('C5 a server that is away for shorter than the lease costs nothing; for longer, the lease is lost', async () => {
    const away = { now: false }
    const shaky = createClient({
      endpoint: pool.url,
      retries: 0,
      fetch: async (input, init) => {
        if (away.now) throw new TypeError('fetch failed', { cause: new Error('away') })
        return await fetch(input, { ...init, headers: { ...(init?.headers as object), 'x-admin': 'yes' } })
      },
    })
    const lease = await shaky.pools.acquire({ worker: 'w', waitMs: 20_000 })
    away.now = true
    await until(() => lease.signal.aborted)
    expect(String(lease.signal.reason)).toContain('no answer came until it was over')
    await lease[Symbol.asyncDispose]()
  })

  test('C4 a holder that may be preempted is told before its machine is taken', async () => {
    await pool.reload([{ id: 'g', leaseMs: 1200, maxTotal: 1, preemptGraceMs: 20_000, dirtyPolicy: 'discard' }], [])
    await until(async () => (await pool.store.list({ limit: 9 })).vms.length <= 1)
    const lease = await client.pools.acquire({ worker: 'low', waitMs: 20_000, preemptible: true, owner: 'a' })
    const urgent = client.pools.acquire({ worker: 'high', waitMs: 20_000, priority: 500, owner: 'b' })
    await until(() => lease.preempted.aborted)
    expect(String(lease.preempted.reason)).toContain('more urgent')
    expect(lease.signal.aborted, 'there is a moment left').toBe(false)
    await lease.release()
    await using won = await urgent
    expect(won.vm.worker).toBe('high')
  })
})

describe('C4 waiting in the client library', () => {
  test('C4 several at once, all or none', async () => {
    const leases = await client.pools.acquireMany({ worker: 'w', count: 2, waitMs: 20_000 })
    expect(new Set(leases.map(({ name }) => name)).size).toBe(2)
    for (const lease of leases) await lease.release()
  })

  test('C4 an aborted wait leaves the queue', async () => {
    await using _held = await client.pools.acquire({ worker: 'a', waitMs: 20_000 })
    await using _second = await client.pools.acquire({ worker: 'b', waitMs: 20_000, owner: 'x' })
    const stop = new AbortController()
    const waiting = client.pools.acquire(
      { worker: 'c', waitMs: 20_000, requestId: 'c', owner: 'y' },
      { signal: stop.signal },
    )
    waiting.catch(() => undefined)
    await until(async () => (await client.pools.requests()).some(({ id }) => id === 'c'))
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await until(async () => (await pool.store.request('c'))?.status === 'cancelled')
  })

  test.each([undefined, 20_000])('C4 an acquire aborted at its grant keeps no machine (waitMs %s)', async (waitMs) => {
    await until(async () => (await client.pools.list({ state: 'ready' })).length > 0)
    const stop = new AbortController()
    const late = createClient({
      endpoint: pool.url,
      fetch: async (input, init) => {
        const answer = await fetch(input, { ...init, headers: { ...(init?.headers as object), 'x-admin': 'yes' } })
        if (answer.status !== 201 || init?.method !== 'POST') return answer
        // The machine is ours by now, and the answer that says so does not arrive.
        stop.abort(new Error('enough'))
        return await new Promise<Response>(() => undefined)
      },
    })
    const wish = { worker: 'w', requestId: 'late', waitMs }
    await expect(late.pools.acquire(wish, { signal: stop.signal })).rejects.toThrow('enough')
    expect(await client.pools.list({ state: 'in_use' })).toEqual([])
    // Not by the end of the lease, but given back.
    expect((await client.pools.list()).reduce((uses, vm) => uses + vm.uses, 0)).toBe(1)
  })

  /** A client whose calls for machines are carried out, and never answered. */
  function unanswered(timeoutMs: number): MainstayClient {
    return createClient({
      endpoint: pool.url,
      retries: 0,
      timeoutMs,
      fetch: async (input, init) => {
        const answer = await fetch(input, { ...init, headers: { ...(init?.headers as object), 'x-admin': 'yes' } })
        if (answer.status !== 201 || init?.method !== 'POST') return answer
        return await new Promise<Response>(() => undefined)
      },
    })
  }

  test.each([undefined, 1])(
    'C4 an acquire whose time is over at its grant keeps no machine (waitMs %s)',
    async (waitMs) => {
      await until(async () => (await client.pools.list({ state: 'ready' })).length > 0)
      const late = unanswered(200).pools.acquire({ worker: 'w', waitMs })
      await expect(late).rejects.toBeInstanceOf(TimeoutError)
      expect(await client.pools.list({ state: 'in_use' })).toEqual([])
      // Not by the end of the lease, but given back.
      expect((await client.pools.list()).reduce((uses, vm) => uses + vm.uses, 0)).toBe(1)
    },
  )

  /** A client whose calls for machines a proxy answers, and nobody carries out. */
  function behindABrokenProxy(): MainstayClient {
    return createClient({
      endpoint: pool.url,
      retries: 0,
      fetch: async (input, init) => {
        if ((input as string).endsWith('/leases')) return new Response('{}', { status: 502 })
        return await fetch(input, { ...init, headers: { ...(init?.headers as object), 'x-admin': 'yes' } })
      },
    })
  }

  describe.each([
    ['that gets no answer in time', () => unanswered(200)],
    ['that a proxy answers', behindABrokenProxy],
    ['that is aborted', () => unanswered(60_000)],
  ])('C4 C5 a second call %s', (what, clientOfIt) => {
    test('leaves the machine to its living holder, who has it under the same id', async () => {
      await using lease = await client.pools.acquire({ worker: 'w', owner: 'root', requestId: 'job-1', waitMs: 20_000 })
      const { leaseExpiresAt: first } = (await pool.store.get(lease.name))!
      await until(async () => (await pool.store.get(lease.name))!.leaseExpiresAt! > first!)
      const stop = new AbortController()
      const wish = { worker: 'w', owner: 'root', requestId: 'job-1' }
      const second = clientOfIt().pools.acquire(wish, { signal: stop.signal })
      if (what === 'that is aborted') stop.abort(new Error('enough'))
      await expect(second).rejects.toBeInstanceOf(Error)
      expect(await pool.store.get(lease.name)).toMatchObject({ state: 'in_use', leaseToken: lease.token })
      expect(lease.signal.aborted).toBe(false)
    })
  })

  test('C4 C17 one that was granted so is used up where machines are used once: nobody gets it again', async () => {
    await pool.reload(
      [{ id: 'g', leaseMs: 60_000, maxTotal: 1, dirtyPolicy: 'discard' }],
      [labelOptions({ label: 'g', minReady: 1 })],
    )
    await until(async () => (await client.pools.list()).length === 1)
    await until(async () => (await client.pools.list({ state: 'ready' })).length === 1)
    const [ready] = await client.pools.list({ state: 'ready' })
    const { name } = ready!
    await expect(unanswered(200).pools.acquire({ worker: 'w' })).rejects.toBeInstanceOf(TimeoutError)
    expect(await stateOf(name)).not.toBe('in_use')
    await using next = await client.pools.acquire({ worker: 'next', owner: 'root', waitMs: 20_000 })
    expect(next.name).not.toBe(name)
    await until(async () => (await stateOf(name)) === undefined)
  })

  test('C4 a wait outlives a server that is away for a moment', async () => {
    let failures = 3
    const shaky = createClient({
      endpoint: pool.url,
      retries: 0,
      fetch: async (input, init) => {
        failures -= 1
        if (failures >= 0) throw new TypeError('fetch failed', { cause: new Error('away') })
        return await fetch(input, { ...init, headers: { ...(init?.headers as object), 'x-admin': 'yes' } })
      },
    })
    await using lease = await shaky.pools.acquire({ worker: 'w', waitMs: 20_000 })
    expect(lease.ip).not.toBeNull()
  })

  test('C4 the end of the wait is an error with the reason', async () => {
    await using _held = await client.pools.acquire({ worker: 'a', waitMs: 20_000 })
    await using _second = await client.pools.acquire({ worker: 'b', waitMs: 20_000, owner: 'x' })
    await expect(client.pools.acquire({ worker: 'c', waitMs: 50, owner: 'y' })).rejects.toMatchObject({
      status: 409,
      faultKey: 'MS_POOL_REQUEST_REFUSED',
    })
  })

  test('C15 changes arrive one by one', async () => {
    const stop = new AbortController()
    const changes = client.pools.changes({ signal: stop.signal })
    const first = changes.next()
    await until(async () => (await client.pools.list({ state: 'ready' })).length > 0)
    await using lease = await client.pools.acquire({ worker: 'w', waitMs: 20_000 })
    let { value } = await first
    while (value?.type !== 'pool.vm.acquired') ({ value } = await changes.next())
    expect(value).toMatchObject({ vm: lease.name, to: 'in_use', worker: 'w' })
    stop.abort()
    const rest = async (): Promise<void> => {
      while ((await changes.next()).done !== true);
    }
    await expect(rest()).rejects.toThrow('abort')
  })
})
