import { describe, expect, test, vi } from 'vitest'

import { labelOptions } from '../testing/counts.ts'
import { servePool, type ServedPool } from '../testing/served-pool.ts'

// Every test has a pool of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

const ADMIN = { 'x-admin': 'yes', 'x-user': 'root' }

async function ask(
  { url }: ServedPool,
  method: string,
  path: string,
  { body, headers = ADMIN }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${url}/api/v1/pools${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    signal: AbortSignal.timeout(20_000),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
}

interface Lease {
  readonly name: string
  readonly token: string
}

async function take(pool: ServedPool, body: object = {}, headers: Record<string, string> = ADMIN): Promise<Lease> {
  const answer = await ask(pool, 'POST', '/leases', { body: { worker: 'w', waitMs: 20_000, ...body }, headers })
  expect(answer.status).toBe(201)
  return (answer.body['leases'] as Lease[])[0]!
}

const one = async (): Promise<ServedPool> => await servePool({ labels: [labelOptions({ label: 'g', minReady: 1 })] })
const code = ({ body }: Answer): unknown => (body['error'] as { code: string } | undefined)?.code

describe('C15 leases over HTTP', () => {
  test('C15 a machine is taken, kept and given back', async () => {
    await using pool = await one()
    const { name, token } = await take(pool, { taskId: 't1', sandbox: 's1' })
    const shown = await ask(pool, 'GET', `/vms/${name}`)
    expect(shown.body).toMatchObject({ name, state: 'in_use', worker: 'w', taskId: 't1', sandbox: 's1', owner: 'root' })
    expect(JSON.stringify(shown.body), 'the secret is the holder’s alone').not.toContain(token)
    const beat = await ask(pool, 'POST', `/vms/${name}/heartbeat`, { body: { token } })
    expect(beat.body['preemptInMs']).toBeNull()
    expect(beat.body['expiresInMs']).toBeGreaterThan(30_000)
    expect(beat.body['expiresInMs']).toBeLessThanOrEqual(60_000)
    expect(await ask(pool, 'POST', `/vms/${name}/release`, { body: { token } })).toMatchObject({
      status: 200,
      body: { state: 'ready', owner: 'root', uses: 1, worker: null },
    })
  })

  test('C5 a wrong token is refused and counted', async () => {
    await using pool = await one()
    const { name } = await take(pool)
    const answer = await ask(pool, 'POST', `/vms/${name}/release`, { body: { token: 'nonsense' } })
    expect([answer.status, code(answer)]).toEqual([409, 'MS_POOL_LEASE_LOST'])
    expect(await pool.metrics.text()).toContain('mainstay_pool_refused_releases_total{call="release"} 1')
  })

  test('C4 asking again with the same id gives the same machine', async () => {
    await using pool = await one()
    const first = await take(pool, { requestId: 'mine' })
    expect((await take(pool, { requestId: 'mine' })).name).toBe(first.name)
    const explained = await ask(pool, 'GET', '/explain/mine')
    expect(explained.body).toMatchObject({ subject: 'mine', verdict: 'The request mine was granted at once.' })
    expect(explained.body['next']).toEqual([expect.stringContaining(`it holds ${first.name}`)])
    const foreign = { headers: { 'x-project': 'other', 'x-user': 'u' } }
    expect((await ask(pool, 'GET', '/explain/mine', foreign)).status, 'somebody else').toBe(404)
  })

  test('C4 a long poll ends with 202, and the next one with the machine', async () => {
    await using pool = await servePool({
      groups: [{ id: 'g', maxTotal: 1, dirtyPolicy: 'reset' }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
    })
    const { name, token } = await take(pool)
    const body = { worker: 'w2', requestId: 'r2', waitMs: 20_000, pollMs: 1, owner: 'other' }
    expect(await ask(pool, 'POST', '/leases', { body })).toMatchObject({
      status: 202,
      body: { requestId: 'r2', request: { status: 'waiting' }, refusals: [{ kind: 'no_vm', group: 'g' }] },
    })
    expect((await ask(pool, 'GET', '/requests')).body).toMatchObject({ requests: [{ id: 'r2', owner: 'other' }] })
    const waiting = ask(pool, 'GET', '/leases/r2?pollMs=20000')
    await ask(pool, 'POST', `/vms/${name}/release`, { body: { token } })
    expect(await waiting).toMatchObject({ status: 201, body: { requestId: 'r2', leases: [{ name }] } })
  })

  test('C4 without waiting there is a reason at once, and what can never be is said to be so', async () => {
    await using pool = await servePool({ groups: [{ id: 'g', maxTotal: 1, maxPerUser: 1 }] })
    const none = await ask(pool, 'POST', '/leases', { body: { worker: 'w' } })
    expect([none.status, code(none)]).toEqual([409, 'MS_POOL_UNAVAILABLE'])
    const never = await ask(pool, 'POST', '/leases', { body: { worker: 'w', count: 5, waitMs: 1000 } })
    expect([never.status, code(never)]).toEqual([422, 'MS_POOL_REQUEST_IMPOSSIBLE'])
    const unknown = await ask(pool, 'POST', '/leases', { body: { worker: 'w', groups: ['nope'] } })
    expect([unknown.status, code(unknown)]).toEqual([404, 'MS_POOL_GROUP_NOT_FOUND'])
    const label = await ask(pool, 'POST', '/leases', { body: { worker: 'w', labels: ['nope'] } })
    expect([label.status, code(label)]).toEqual([422, 'MS_POOL_REQUEST_IMPOSSIBLE'])
  })

  test('C4 a request that waited for long enough is refused with the reason', async () => {
    await using pool = await servePool()
    await pool.pool.drainGroup('g', 'keep')
    const answer = await ask(pool, 'POST', '/leases', { body: { worker: 'w', groups: ['g'], waitMs: 20 } })
    expect([answer.status, code(answer)]).toEqual([409, 'MS_POOL_REQUEST_REFUSED'])
  })

  test.each([
    ['no worker', {}],
    ['a wrong type', { worker: 5 }],
    ['a name that nobody knows', { worker: 'w', wait: 5 }],
    ['a negative wait', { worker: 'w', waitMs: -1 }],
    ['a priority beyond the highest', { worker: 'w', priority: 1001 }],
    ['no JSON', 'nonsense'],
  ])('C15 a body with %s is refused, and nothing happens', async (_what, body) => {
    await using pool = await one()
    expect((await ask(pool, 'POST', '/leases', { body })).status).toBe(400)
    expect((await ask(pool, 'GET', '/requests')).body).toEqual({ requests: [], cursor: null })
  })

  test('C5 another worker takes over the machine of a task', async () => {
    await using pool = await one()
    const { name, token } = await take(pool, { taskId: 't1', reattach: true })
    const again = await ask(pool, 'POST', '/reattach', { body: { taskId: 't1', worker: 'w2' } })
    expect(again).toMatchObject({ status: 200, body: { name, vm: { worker: 'w2', state: 'in_use' } } })
    expect((await ask(pool, 'POST', `/vms/${name}/heartbeat`, { body: { token } })).status, 'the old token').toBe(409)
    expect((await ask(pool, 'POST', '/reattach', { body: { taskId: 'other', worker: 'w2' } })).status).toBe(204)
  })

  test('C7 with a check at the hand-over nobody gets a machine that is broken by now', async () => {
    const broken = new Set<string>()
    let handingOver = false
    await using pool = await servePool({
      labels: [labelOptions({ label: 'g', minReady: 2 })],
      checkOnAcquire: true,
      check: async ({ name }) => {
        if (handingOver && broken.size === 0) broken.add(name)
        return broken.has(name) ? { passed: false, reason: 'no answer' } : { passed: true, reason: '' }
      },
    })
    await vi.waitUntil(async () => (await pool.store.counts({ now: Date.now() }))[0]?.free === 2, { timeout: 10_000 })
    handingOver = true
    const { name } = await take(pool)
    expect(broken.size).toBe(1)
    expect(broken.has(name)).toBe(false)
    const history = await ask(pool, 'GET', `/vms/${[...broken][0]!}/history`)
    expect(JSON.stringify(history.body)).toContain('did not pass the check at the hand-over: no answer')
  })
})

describe('C7 C15 a request whose machine does not pass the check at the hand-over', () => {
  const R1 = { worker: 'w', requestId: 'r1', waitMs: 20_000 }

  /** A pool whose machines pass all checks but, unless told otherwise, the first at a hand-over. */
  async function brokenAtFirst(count: number, { first = true }: { readonly first?: boolean } = {}) {
    const broken = new Set<string>()
    let handingOver = false
    const pool = await servePool({
      labels: [labelOptions({ label: 'g', minReady: count })],
      groups: [{ id: 'g', maxTotal: count, maxPerUser: 0 }],
      checkOnAcquire: true,
      check: async ({ name }) => {
        if (handingOver && broken.size === 0) broken.add(name)
        return broken.has(name) ? { passed: false, reason: 'no answer' } : { passed: true, reason: '' }
      },
    })
    await vi.waitUntil(async () => (await pool.store.counts({ now: Date.now() }))[0]?.free === count, {
      timeout: 10_000,
    })
    handingOver = first
    return { pool, broken, [Symbol.asyncDispose]: async () => await pool[Symbol.asyncDispose]() }
  }
  const inUse = async ({ store }: ServedPool): Promise<string[]> =>
    (await store.list({ states: ['in_use'], limit: 9 })).vms.map(({ name }) => name)

  test('C15 keeps its id: whoever repeats it gets the machine that it has, never a second one', async () => {
    await using scene = await brokenAtFirst(4)
    const { pool, broken } = scene
    const body = { worker: 'w', requestId: 'r1', waitMs: 20_000 }
    const first = await ask(pool, 'POST', '/leases', { body })
    const again = await ask(pool, 'POST', '/leases', { body })
    expect(first).toMatchObject({ status: 201, body: { requestId: 'r1' } })
    expect(again).toMatchObject({ status: 201, body: { requestId: 'r1' } })
    const [one] = first.body['leases'] as Lease[]
    expect(again.body['leases']).toMatchObject([{ name: one!.name, token: one!.token }])
    expect(broken.size).toBe(1)
    expect(await inUse(pool)).toEqual([one!.name])
  })

  test('C15 that has to wait now waits under its id, and is served under it', async () => {
    await using scene = await brokenAtFirst(1)
    const { pool } = scene
    const body = { worker: 'w', requestId: 'r1', waitMs: 20_000 }
    const waiting = await ask(pool, 'POST', '/leases', { body: { ...body, pollMs: 0 } })
    expect(waiting).toMatchObject({ status: 202, body: { requestId: 'r1' } })
    const served = await ask(pool, 'POST', '/leases', { body })
    expect(served).toMatchObject({ status: 201, body: { requestId: 'r1' } })
    expect(await inUse(pool)).toHaveLength(1)
    expect((await ask(pool, 'GET', '/requests')).body).toEqual({ requests: [], cursor: null })
  })

  test('C15 that waited before waits again, and is served under its id', async () => {
    await using scene = await brokenAtFirst(1)
    const { pool, broken } = scene
    const holder = await pool.store.acquire({
      id: 'holder',
      groups: ['g'],
      owner: 'root',
      sandbox: 'default',
      worker: 'w',
      leaseToken: 't',
      now: Date.now(),
    })
    expect(holder.outcome).toBe('granted')
    const body = { worker: 'w', requestId: 'r1', waitMs: 20_000 }
    const served = ask(pool, 'POST', '/leases', { body })
    await vi.waitUntil(async () => (await pool.store.request('r1')) !== null, { timeout: 10_000 })
    const [name] = await inUse(pool)
    await ask(pool, 'POST', `/vms/${name}/release`, { body: { token: 't' } })
    expect(await served).toMatchObject({ status: 201, body: { requestId: 'r1' } })
    expect(broken.size).toBe(1)
    expect(await inUse(pool)).toHaveLength(1)
  })

  /** Somebody holds the only machine, and r1 waits for it. */
  async function waitingBehindAHolder(
    pool: ServedPool,
  ): Promise<{ readonly name: string; readonly free: () => Promise<void> }> {
    const wish = { groups: ['g'], owner: 'root', sandbox: 'default', worker: 'w', leaseToken: 't' }
    await pool.store.acquire({ ...wish, id: 'holder', now: Date.now() })
    const [name] = await inUse(pool)
    const body = { worker: 'w', requestId: 'r1', waitMs: 20_000, pollMs: 0 }
    expect(await ask(pool, 'POST', '/leases', { body })).toMatchObject({ status: 202 })
    const free = async (): Promise<void> =>
      void (await ask(pool, 'POST', `/vms/${name}/release`, { body: { token: 't' } }))
    return { name: name!, free }
  }

  test.each(['while it waits', 'after it was granted'])(
    'C7 C9 is not given to whoever asks for it by its id, %s: it is served with another one',
    async (when) => {
      await using scene = await brokenAtFirst(1)
      const { pool, broken } = scene
      const { name, free } = await waitingBehindAHolder(pool)
      if (when === 'after it was granted') await free()
      const asking = ask(pool, 'GET', '/leases/r1?pollMs=20000')
      if (when === 'while it waits') await free()
      const served = await asking
      expect(served).toMatchObject({ status: 201, body: { requestId: 'r1' } })
      expect([...broken]).toEqual([name])
      expect(served.body['leases']).not.toMatchObject([{ name }])
      expect((served.body['leases'] as Lease[]).map((lease) => lease.name)).toEqual(await inUse(pool))
    },
  )

  test.each([
    ['asks for it by its id', async (pool: ServedPool) => await ask(pool, 'GET', '/leases/r1?pollMs=20000')],
    [
      'repeats it',
      async (pool: ServedPool) =>
        await ask(pool, 'POST', '/leases', { body: { worker: 'w', requestId: 'r1', waitMs: 20_000 } }),
    ],
  ])('C4 C7 keeps its place before those who came later, for whoever %s', async (_, again) => {
    await using scene = await brokenAtFirst(1)
    const { pool, broken } = scene
    const { free } = await waitingBehindAHolder(pool)
    const later = { worker: 'w', requestId: 'r2', waitMs: 20_000, pollMs: 0 }
    expect(await ask(pool, 'POST', '/leases', { body: later })).toMatchObject({ status: 202 })
    await free()
    expect(await again(pool)).toMatchObject({ status: 201, body: { requestId: 'r1' } })
    expect(broken.size).toBe(1)
    expect(await pool.store.request('r2')).toMatchObject({ status: 'waiting' })
  })

  describe.each([
    ['an acquire', async (pool: ServedPool) => await ask(pool, 'POST', '/leases', { body: R1 })],
    [
      'a look at its request',
      async (pool: ServedPool) => {
        const wish = { groups: ['g'], owner: 'root', sandbox: 'default', worker: 'w', leaseToken: 't' }
        await pool.store.acquire({ ...wish, id: 'r1', now: Date.now() })
        return await ask(pool, 'GET', '/leases/r1')
      },
    ],
    [
      'a look at its request that checks nothing',
      async (pool: ServedPool) => {
        const wish = { groups: ['g'], owner: 'root', sandbox: 'default', worker: 'w', leaseToken: 't' }
        await pool.store.acquire({ ...wish, id: 'r1', now: Date.now() })
        return await ask(pool, 'GET', '/leases/r1?check=false')
      },
    ],
  ])('that was handed over by %s', (_, handOver) => {
    test('C5 C7 is not looked at any more, although its holder has shown no life yet', async () => {
      await using scene = await brokenAtFirst(1, { first: false })
      const { pool, broken } = scene
      const [lease] = (await handOver(pool)).body['leases'] as Lease[]
      const { name, token } = lease!
      broken.add(name)
      expect(await ask(pool, 'GET', '/leases/r1')).toMatchObject({ status: 201, body: { leases: [{ name, token }] } })
      const repeated = await ask(pool, 'POST', '/leases', { body: R1 })
      expect(repeated).toMatchObject({ status: 201, body: { leases: [{ name, token }] } })
      expect(await inUse(pool)).toEqual([name])
    })
  })

  test('C5 C7 that somebody else got under the same id meanwhile is left to him, whatever the check says', async () => {
    const looks = [Promise.withResolvers<boolean>(), Promise.withResolvers<boolean>()]
    let looked = 0
    let handingOver = false
    await using pool = await servePool({
      labels: [labelOptions({ label: 'g', minReady: 1 })],
      groups: [{ id: 'g', maxTotal: 1, maxPerUser: 0 }],
      checkOnAcquire: true,
      check: async () => {
        if (!handingOver) return { passed: true, reason: '' }
        const passed = await looks[(looked += 1) - 1]!.promise
        return { passed, reason: passed ? '' : 'it is busy' }
      },
    })
    await vi.waitUntil(async () => (await pool.store.counts({ now: Date.now() }))[0]?.free === 1, { timeout: 10_000 })
    handingOver = true
    const asked = [ask(pool, 'POST', '/leases', { body: R1 }), ask(pool, 'POST', '/leases', { body: R1 })]
    await vi.waitUntil(() => looked === 2, { timeout: 10_000 })
    looks[0]!.resolve(true)
    expect(await Promise.race(asked)).toMatchObject({ status: 201 })
    looks[1]!.resolve(false)
    expect(await Promise.all(asked)).toMatchObject([{ status: 201 }, { status: 201 }])
    expect(await inUse(pool)).toHaveLength(1)
  })

  test('C7 is not looked at where it is only to be given back', async () => {
    await using scene = await brokenAtFirst(1)
    const { pool, broken } = scene
    const { name, free } = await waitingBehindAHolder(pool)
    await free()
    expect(await ask(pool, 'GET', '/leases/r1?pollMs=0&check=false')).toMatchObject({
      status: 201,
      body: { leases: [{ name }] },
    })
    expect(broken.size).toBe(0)
  })

  test('C5 C7 is not looked at any more once its holder has shown life', async () => {
    await using scene = await brokenAtFirst(2)
    const { pool, broken } = scene
    const body = { worker: 'w', requestId: 'r1', waitMs: 20_000 }
    const [lease] = (await ask(pool, 'POST', '/leases', { body })).body['leases'] as Lease[]
    const { name, token } = lease!
    const since = (await pool.store.get(name))!.leaseExpiresAt!
    await vi.waitUntil(async () => {
      await ask(pool, 'POST', `/vms/${name}/heartbeat`, { body: { token } })
      return (await pool.store.get(name))!.leaseExpiresAt! > since
    })
    broken.add(name)
    expect(await ask(pool, 'GET', '/leases/r1')).toMatchObject({ status: 201, body: { leases: [{ name, token }] } })
    expect(await ask(pool, 'POST', '/leases', { body })).toMatchObject({ status: 201, body: { leases: [{ name }] } })
    expect(await inUse(pool)).toEqual([name])
  })

  test('C7 that was granted at once, and whose wish nobody knows any more, is told to ask again', async () => {
    await using scene = await brokenAtFirst(2)
    const { pool, broken } = scene
    const wish = { groups: ['g'], owner: 'root', sandbox: 'default', worker: 'w', leaseToken: 't' }
    await pool.store.acquire({ ...wish, id: 'r1', now: Date.now() })
    const [name] = await inUse(pool)
    const answer = await ask(pool, 'GET', '/leases/r1')
    expect([answer.status, code(answer)]).toEqual([503, 'MS_POOL_HAND_OVER'])
    expect([...broken]).toEqual([name])
    const again = await ask(pool, 'POST', '/leases', { body: { worker: 'w', requestId: 'r1', waitMs: 20_000 } })
    expect(again.status).toBe(201)
    expect(again.body['leases']).not.toMatchObject([{ name }])
  })
})

describe('C12 C4 requests for a group that is drained', () => {
  test.each([
    ['its label', { labels: ['linux'] }],
    ['nothing', {}],
    ['the group', { groups: ['g'] }],
  ])('C4 one that names %s waits with the reason, and is served once the group is back', async (_what, wish) => {
    await using pool = await servePool({ groups: [{ id: 'g', labels: ['linux'] }] })
    const drained = await ask(pool, 'POST', '/groups/g/drain', { body: { reason: 'maintenance' } })
    expect(drained.status).toBe(200)
    const body = { worker: 'w', requestId: 'r1', ...wish }
    const refused = await ask(pool, 'POST', '/leases', { body })
    expect(code(refused)).toBe('MS_POOL_UNAVAILABLE')
    expect(JSON.stringify(refused.body)).toContain('the group is drained')
    const waiting = await ask(pool, 'POST', '/leases', { body: { ...body, waitMs: 20_000, pollMs: 0 } })
    expect(waiting).toMatchObject({ status: 202, body: { refusals: [{ kind: 'draining', group: 'g' }] } })
    const served = ask(pool, 'POST', '/leases', { body: { ...body, waitMs: 20_000 } })
    expect((await ask(pool, 'POST', '/groups/g/undrain', { body: { reason: 'done' } })).status).toBe(200)
    expect(await served).toMatchObject({ status: 201, body: { requestId: 'r1' } })
  })
})

describe('C15 tenants', () => {
  const alice = { 'x-user': 'a', 'x-project': 'alice' }
  const bob = { 'x-user': 'b', 'x-project': 'bob' }

  test('C15 see what is theirs, and nothing of others', async () => {
    await using pool = await servePool({ labels: [labelOptions({ label: 'g', minReady: 2 })] })
    const { name } = await take(pool, {}, alice)
    await take(pool, {}, bob)
    const names = ((await ask(pool, 'GET', '/vms', { headers: alice })).body['vms'] as Lease[]).map((vm) => vm.name)
    expect(names).toEqual([name])
    expect((await ask(pool, 'GET', `/vms/${name}`, { headers: alice })).body).toMatchObject({ owner: 'alice' })
    expect((await ask(pool, 'GET', `/vms/${name}`, { headers: bob })).status).toBe(404)
    expect((await ask(pool, 'GET', `/explain/${name}`, { headers: bob })).status).toBe(404)
    expect((await ask(pool, 'POST', `/vms/${name}/hold`, { headers: bob, body: { reason: 'mine?' } })).status).toBe(404)
  })

  test('C15 a group in which nothing is theirs is to them the same as one that does not exist', async () => {
    await using pool = await servePool({
      groups: [{ id: 'g', maxTotal: 1, maxPerUser: 0 }, { id: 'other' }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
    })
    const list = async (group: string, headers: Record<string, string>, more = '') =>
      await ask(pool, 'GET', `/vms?group=${group}${more}`, { headers })
    const said = ({ body }: Answer): string => (body['error'] as { message: string }).message
    await take(pool, {}, alice)
    const nope = await list('nope', bob)
    expect([nope.status, code(nope)]).toEqual([404, 'MS_POOL_GROUP_NOT_FOUND'])
    for (const [group, who] of [
      ['g', bob],
      ['other', bob],
      ['other', alice],
      ['g', {}],
    ] as const) {
      const answer = await list(group, who)
      expect([group, answer.status]).toEqual([group, 404])
      expect(said(answer).replace(`group ${group} `, 'group nope ')).toBe(said(nope))
    }
    expect((await list('g', alice)).body['vms']).toHaveLength(1)
    expect((await list('g', alice, '&state=ready')).body, 'theirs, and none of them ready').toMatchObject({ vms: [] })
    const body = { worker: 'w', groups: ['g'], waitMs: 20_000, pollMs: 0 }
    expect((await ask(pool, 'POST', '/leases', { headers: bob, body })).status).toBe(202)
    expect((await list('g', bob)).body, 'they wait for one').toMatchObject({ vms: [] })
  })

  test('C15 an admin is told of a group that does not exist, and sees an empty one as empty', async () => {
    await using pool = await servePool({ groups: [{ id: 'g' }] })
    const nope = await ask(pool, 'GET', '/vms?group=nope')
    expect([nope.status, code(nope)]).toEqual([404, 'MS_POOL_GROUP_NOT_FOUND'])
    expect(await ask(pool, 'GET', '/vms?group=g')).toMatchObject({ status: 200, body: { vms: [], cursor: null } })
  })

  test('C15 get nothing by the id of a request of others, whether it was granted or waits', async () => {
    await using pool = await servePool({
      groups: [{ id: 'g', maxTotal: 1, maxPerUser: 0 }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
    })
    await take(pool, { requestId: 'granted' }, alice)
    await ask(pool, 'POST', '/leases', {
      headers: alice,
      body: { worker: 'w', requestId: 'waits', waitMs: 20_000, pollMs: 1 },
    })
    for (const requestId of ['granted', 'waits']) {
      const body = { worker: 'w', requestId, waitMs: 100 }
      const answer = await ask(pool, 'POST', '/leases', { headers: bob, body })
      expect([requestId, answer.status, code(answer)]).toEqual([requestId, 409, 'MS_POOL_REQUEST_REFUSED'])
      expect((await ask(pool, 'GET', `/leases/${requestId}?pollMs=1`, { headers: bob })).status).toBe(404)
      const cancelled = await ask(pool, 'POST', `/requests/${requestId}/cancel`, {
        headers: bob,
        body: { reason: 'r' },
      })
      expect(cancelled.status, 'nor change it').not.toBe(200)
    }
    expect((await pool.store.request('waits'))?.status).toBe('waiting')
  })

  test('C15 ask for themselves only, and change nothing of the whole', async () => {
    await using pool = await one()
    const forBob = await ask(pool, 'POST', '/leases', { headers: alice, body: { worker: 'w', owner: 'bob' } })
    expect(forBob.status).toBe(403)
    const nobody = await ask(pool, 'POST', '/leases', { headers: {}, body: { worker: 'w' } })
    expect([nobody.status, code(nobody)]).toEqual([403, 'MS_POOL_NO_TENANT'])
    const reason = { reason: 'because' }
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['GET', '/plan', undefined],
      ['GET', '/providers', undefined],
      ['DELETE', '/vms/x', reason],
      ['POST', '/vms/x/drain', reason],
      ['POST', '/groups/g/drain', reason],
      ['POST', '/providers/sim/drain', reason],
      ['POST', '/reconcile', reason],
      ['PUT', '/configuration', reason],
    ] as const) {
      expect((await ask(pool, method, path, { headers: alice, body })).status, `${method} ${path}`).toBe(403)
    }
    expect(pool.audits).toEqual([])
  })

  test('C12 may hold their own machine, which is then neither reused nor collected', async () => {
    await using pool = await one()
    const { name, token } = await take(pool, {}, alice)
    const held = await ask(pool, 'POST', `/vms/${name}/hold`, {
      headers: alice,
      body: { reason: 'look', forMs: 60_000 },
    })
    expect(held.status).toBe(200)
    const released = await ask(pool, 'POST', `/vms/${name}/release`, { headers: alice, body: { token } })
    expect(released.body).toMatchObject({ state: 'held', holdReason: 'look' })
    expect(
      (await ask(pool, 'POST', `/vms/${name}/unhold`, { headers: alice, body: { reason: 'seen' } })).body,
    ).toMatchObject({ state: 'ready', holdUntil: null })
    expect(pool.audits.map(({ action, subject, reason }) => [action, subject, reason])).toEqual([
      ['hold', name, 'look'],
      ['unhold', name, 'seen'],
    ])
  })
})

describe('C12 C15 operators', () => {
  const because = { body: { reason: 'because' } }

  test('C15 destroy a machine in use only by force, and every change is recorded with who and why', async () => {
    await using pool = await one()
    const { name } = await take(pool)
    const refused = await ask(pool, 'DELETE', `/vms/${name}`, because)
    expect([refused.status, code(refused)]).toEqual([409, 'MS_CONFLICT'])
    expect((await ask(pool, 'DELETE', `/vms/${name}`, { body: { reason: 'gone mad', force: true } })).status).toBe(200)
    expect(pool.audits).toMatchObject([{ action: 'delete', subject: name, reason: 'gone mad' }])
    expect(pool.audits[0]?.actor).toContain('root')
    await vi.waitUntil(async () => (await pool.store.get(name)) === null, { timeout: 10_000 })
  })

  test('C15 without a reason nothing is changed', async () => {
    await using pool = await one()
    const { name } = await take(pool)
    expect((await ask(pool, 'DELETE', `/vms/${name}`, { body: { force: true } })).status).toBe(400)
    expect((await pool.store.get(name))?.state).toBe('in_use')
  })

  test('C12 drain a machine: it ends its use and is gone', async () => {
    await using pool = await one()
    const { name, token } = await take(pool)
    expect((await ask(pool, 'POST', `/vms/${name}/drain`, because)).body).toMatchObject({
      drain: 'terminate',
      state: 'in_use',
    })
    expect((await ask(pool, 'POST', `/vms/${name}/release`, { body: { token } })).body).toMatchObject({
      state: 'terminating',
    })
  })

  test('C12 drain and undrain a group and a provider', async () => {
    await using pool = await one()
    await vi.waitUntil(async () => (await pool.store.list({ states: ['ready'], limit: 9 })).vms.length === 1, {
      timeout: 10_000,
    })
    expect((await ask(pool, 'POST', '/groups/g/drain', because)).status).toBe(200)
    await vi.waitUntil(async () => (await pool.store.list({ limit: 9 })).vms.length === 0, { timeout: 10_000 })
    expect((await ask(pool, 'GET', '/plan')).body).toMatchObject({ decisions: [], labels: [{ unmet: { count: 1 } }] })
    expect((await ask(pool, 'POST', '/providers/sim/drain', because)).status).toBe(200)
    await ask(pool, 'POST', '/groups/g/undrain', because)
    expect((await ask(pool, 'GET', '/providers')).body).toMatchObject({
      providers: [{ name: 'sim', draining: true, refusal: { because: 'draining' } }],
    })
    await ask(pool, 'POST', '/providers/sim/undrain', because)
    await ask(pool, 'POST', '/providers/sim/enable', because)
    await vi.waitUntil(async () => (await pool.store.list({ states: ['ready'], limit: 9 })).vms.length === 1, {
      timeout: 10_000,
    })
    expect((await ask(pool, 'POST', '/groups/nope/drain', because)).status).toBe(404)
    expect((await ask(pool, 'POST', '/providers/nope/drain', because)).status).toBe(400)
  })

  test('C20 a drain outlives a new configuration', async () => {
    await using pool = await one()
    await ask(pool, 'POST', '/groups/g/drain', { body: { reason: 'r', mode: 'keep' } })
    await pool.reload([{ id: 'g' }, { id: 'h' }], [])
    expect((await pool.store.configuration()).groups).toMatchObject([
      { id: 'g', draining: 'keep' },
      { id: 'h', draining: null },
    ])
  })

  test('C15 adopt, recheck, cancel, reorder', async () => {
    await using pool = await servePool({ groups: [{ id: 'g', maxTotal: 1 }] })
    const body = { name: 'mine', group: 'g', ip: '192.0.2.1', reason: 'r' }
    expect(await ask(pool, 'POST', '/vms', { body })).toMatchObject({ status: 201, body: { name: 'mine', group: 'g' } })
    expect((await ask(pool, 'POST', '/vms', { body })).status, 'twice').toBe(409)
    await vi.waitUntil(async () => (await pool.store.get('mine'))?.state === 'ready', { timeout: 10_000 })
    expect((await ask(pool, 'POST', '/vms/mine/recheck', because)).status).toBe(200)
    await take(pool)
    for (const requestId of ['r1', 'r2']) {
      await ask(pool, 'POST', '/leases', { body: { worker: 'w', requestId, waitMs: 20_000, pollMs: 1, sandbox: 'x' } })
    }
    expect((await ask(pool, 'POST', '/requests/r2/reorder', { body: { ahead: 'r1', reason: 'r' } })).status).toBe(200)
    expect((await ask(pool, 'POST', '/requests/r2/reorder', because)).status, 'says nothing').toBe(400)
    const explained = await ask(pool, 'GET', '/explain/r2')
    expect(explained.body['verdict']).toContain('The request r2 waits')
    expect(explained.body['doing']).toMatch(/^The request r2 of root waits since .*, for .*\.$/)
    expect((explained.body['next'] as string[]).at(-1)).toMatch(/^at .*, in .*: it ends without a machine$/)
    expect((await ask(pool, 'POST', '/requests/r1/cancel', because)).body).toEqual({ id: 'r1', status: 'cancelled' })
    expect((await ask(pool, 'GET', '/requests/r1')).body).toMatchObject({ status: 'cancelled', reason: 'because' })
  })

  test('C12 the next failing use is held', async () => {
    await using pool = await one()
    const made = await ask(pool, 'POST', '/failure-holds', { body: { group: 'g', reason: 'it fails at times' } })
    expect(made.status).toBe(201)
    const { name, token } = await take(pool)
    expect((await ask(pool, 'POST', `/vms/${name}/release`, { body: { token, failed: true } })).body).toMatchObject({
      state: 'held',
      holdReason: 'it fails at times',
    })
    expect((await ask(pool, 'POST', '/failure-holds', because)).status, 'of what?').toBe(400)
    const both = { group: 'g', taskId: 't', reason: 'r' }
    expect((await ask(pool, 'POST', '/failure-holds', { body: both })).status, 'which of them?').toBe(400)
  })

  test('C12 a hold on the failure of a group or label that nobody has is refused', async () => {
    await using pool = await servePool({ groups: [{ id: 'g', labels: ['linux'] }] })
    const group = await ask(pool, 'POST', '/failure-holds', { body: { group: 'nope', reason: 'r' } })
    expect([group.status, code(group)]).toEqual([404, 'MS_POOL_GROUP_NOT_FOUND'])
    const label = await ask(pool, 'POST', '/failure-holds', { body: { label: 'nope', reason: 'r' } })
    expect([label.status, code(label)]).toEqual([404, 'MS_POOL_LABEL_NOT_FOUND'])
    expect((label.body['error'] as { message: string }).message).toContain('The labels are g, linux;')
    for (const body of [{ label: 'linux' }, { label: 'g' }, { taskId: 'not begun yet' }]) {
      expect((await ask(pool, 'POST', '/failure-holds', { body: { ...body, reason: 'r' } })).status).toBe(201)
    }
    expect((await ask(pool, 'GET', '/failure-holds')).body['holds']).toHaveLength(3)
  })

  test.each(['example.com', '256.0.0.2', '192.0.2.1; reboot', '192.0.2.1/24', '[2001:db8::1]', '::1::', ' 192.0.2.1'])(
    'C15 a machine is not adopted at %j, which is no address',
    async (ip) => {
      await using pool = await servePool()
      const answer = await ask(pool, 'POST', '/vms', { body: { name: 'mine', group: 'g', ip, reason: 'r' } })
      expect([answer.status, code(answer)]).toEqual([400, 'MS_INVALID_INPUT'])
      expect((answer.body['error'] as { message: string }).message).toContain('is not an address')
      expect(await pool.store.get('mine')).toBeNull()
    },
  )

  test('C15 a machine is adopted at an address of IPv6', async () => {
    await using pool = await servePool()
    const body = { name: 'mine', group: 'g', ip: '2001:db8::7', reason: 'r' }
    expect(await ask(pool, 'POST', '/vms', { body })).toMatchObject({ status: 201, body: { ip: '2001:db8::7' } })
  })

  test('C15 a body that does not fit is told in words', async () => {
    await using pool = await servePool()
    const lacking = await ask(pool, 'POST', '/vms', { body: { name: 'mine', group: 'g', ip: '192.0.2.1' } })
    expect([lacking.status, code(lacking)]).toEqual([400, 'MS_BAD_REQUEST'])
    expect((lacking.body['error'] as { message: string }).message).toBe('The body lacks "reason".')
  })

  test('C10 look for leaks on request, without doing anything', async () => {
    await using pool = await one()
    const answer = await ask(pool, 'POST', '/reconcile', { body: { dryRun: true, reason: 'look' } })
    expect(answer.body).toMatchObject({ carriedOut: [] })
    expect(pool.audits).toEqual([])
  })

  test('C10 a machine that may belong to another provider is told of in the event stream, once', async () => {
    await using pool = await servePool()
    const tags = { installation: 'test', pool: 'g', vmName: 'vm-1', createdAt: Date.now() - 86_400_000 }
    const { id } = pool.cloud.add({ name: 'vm-1', tags })
    const record = { name: 'vm-1', group: 'g', ip: '192.0.2.1', provider: 'other', providerId: 'i-9' }
    await pool.store.addVm({ ...record, now: Date.now(), fence: null })
    for (let pass = 0; pass < 2; pass += 1) {
      const answer = await ask(pool, 'POST', '/reconcile', { body: { reason: 'look' } })
      expect(answer.body).toMatchObject({ decisions: [{ decide: 'report_machine', because: 'claimed' }] })
    }
    expect(pool.events).toMatchObject([
      { type: 'pool.machine.claimed', severity: 'error', payload: { vm: 'vm-1', provider: 'sim', provider_id: id } },
    ])
  })
})

describe('C14 C15 looking', () => {
  test('C14 explain says why a machine is not handed out, each rule with its numbers', async () => {
    await using pool = await one()
    const { name } = await take(pool)
    const { body } = await ask(pool, 'GET', `/explain/${name}`)
    expect(body['verdict']).toMatch(
      new RegExp(`^The machine ${name} is not handed out: it is in_use by w for \\d+ ms\\.$`),
    )
    expect((body['findings'] as { rule: string }[]).map(({ rule }) => rule)).toEqual([
      'state',
      'max_check_age',
      'check_fails',
      'dirty',
      'drain',
    ])
    expect(body['doing']).toMatch(
      new RegExp(`^The machine ${name} is used by w for root in the sandbox default, since .*\\.$`),
    )
    expect(body['next']).toEqual([
      expect.stringMatching(/^at .*, in \d.*: it is taken back, unless w shows life by then/),
      expect.stringMatching(/^when it is given back: it waits 2 min 00 s for root/),
    ])
    expect((await ask(pool, 'GET', '/explain/nothing')).status).toBe(404)
  })

  test('C15 changes come as server-sent events', async () => {
    await using pool = await one()
    await vi.waitUntil(async () => (await pool.store.list({ states: ['ready'], limit: 9 })).vms.length === 1, {
      timeout: 10_000,
    })
    const stop = new AbortController()
    const response = await fetch(`${pool.url}/api/v1/pools/changes`, { headers: ADMIN, signal: stop.signal })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const { name } = await take(pool)
    let seen = ''
    for await (const piece of response.body!) {
      seen += new TextDecoder().decode(piece)
      if (seen.includes('event: pool.vm.acquired')) break
    }
    expect(seen).toContain(`"vm":"${name}"`)
    stop.abort()
  })

  test('C15 pages of machines', async () => {
    await using pool = await servePool({
      groups: [{ id: 'g', maxSpawns: 0 }],
      labels: [labelOptions({ label: 'g', minReady: 5 })],
    })
    await vi.waitUntil(async () => (await pool.store.list({ states: ['ready'], limit: 9 })).vms.length === 5, {
      timeout: 10_000,
    })
    const names: string[] = []
    let cursor = ''
    do {
      const { body } = await ask(pool, 'GET', `/vms?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
      names.push(...(body['vms'] as Lease[]).map(({ name }) => name))
      cursor = (body['cursor'] as string | null) ?? ''
    } while (cursor !== '')
    expect(names).toHaveLength(5)
    expect(names).toEqual(names.toSorted())
  })

  test('C16 the figures of machines, requests and the cycle are there', async () => {
    await using pool = await one()
    const { name, token } = await take(pool)
    await ask(pool, 'POST', `/vms/${name}/release`, { body: { token } })
    // The minimum is taken and the next one has to be waited for.
    await take(pool, { owner: 'second', count: 2 })
    const missing = async (): Promise<string[]> => {
      const text = await pool.metrics.text()
      return FIGURES.filter((figure) => !text.includes(figure))
    }
    await vi.waitUntil(async () => (await missing()).length === 0, { timeout: 10_000 }).catch(() => undefined)
    expect(await missing()).toEqual([])
  })
})

const FIGURES = [
  'mainstay_pool_leading 1',
  'mainstay_pool_vms{group="g",state="ready"}',
  'mainstay_pool_wait_seconds_count{group="g",outcome="granted"} 1',
  'mainstay_pool_use_seconds_count{group="g"} 1',
  'mainstay_pool_idle_seconds_count{group="g"}',
  'mainstay_pool_state_seconds_count{group="g",state="building"}',
  'mainstay_pool_spawns_total{group="g",result="ok"}',
  'mainstay_pool_checks_total{group="g",result="passed"}',
  'mainstay_pool_cycle_step_seconds_count{step="spawn"}',
  'mainstay_pool_wanted_idle_vms{label="g"} 1',
  'mainstay_pool_launch_seconds_count{provider="sim",image=""}',
  'mainstay_pool_provider_up{provider="sim"} 1',
]
