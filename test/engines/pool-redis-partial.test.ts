import { describe, expect, test } from 'vitest'

import type { PartialRecord } from '../../packages/mainstay/src/pool/store.ts'
import { SeededRandom } from '../../packages/mainstay/src/core/random.ts'
import { Lab } from '../../packages/mainstay/src/pool/testing/lab.ts'
import { outcomeOf, randomOperation } from '../../packages/mainstay/src/pool/testing/random-operation.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { redisPool } from './support/redis-pool.ts'

const redis = usePrivateRedis()
const GRACE_MS = 600_000

async function lab(): Promise<Lab & AsyncDisposable> {
  const store = await redisPool(redis().port, 'pool:')
  const made = new Lab(store, { open: async () => store, [Symbol.asyncDispose]: async () => {} })
  await made.configure([{ id: 'g', maxTotal: 0, maxPerUser: 0 }])
  return Object.assign(made, { [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose]() })
}

const ask = async (...command: string[]): Promise<unknown> => await redis().connection.ask(command)
const hash = (name: string): string => `pool:vm_instance:hset::${name}`

/** What is missing of whom. */
async function partial({ store, now }: Lab): Promise<Record<string, PartialRecord['missing']>> {
  return Object.fromEntries((await store.partialRecords({ now })).map(({ name, missing }) => [name, missing]))
}

/** One record of each kind that lost a part, beside one that is whole. */
async function breakRecords(): Promise<void> {
  await ask('SADD', 'pool:vm_pool:set::g', 'no-hash', 'no-ip', 'no-group', 'no-state')
  await ask('HSET', hash('no-ip'), 'vm_name', 'no-ip', 'group', 'g', 'state', 'ready')
  await ask('HSET', hash('no-group'), 'vm_name', 'no-group', 'vm_ip', '10.0.0.1', 'state', 'got_ip')
  await ask('HSET', hash('no-state'), 'vm_name', 'no-state', 'vm_ip', '10.0.0.2', 'group', 'g')
  await ask('HSET', hash('no-entry'), 'vm_name', 'no-entry', 'vm_ip', '10.0.0.3', 'group', 'g', 'state', 'got_ip')
  await ask('HSET', hash('nothing'), 'task_id', 't')
}

/** Damage as a program that knows nothing of the indexes does it, or a Redis that throws out keys. */
type Damage = (lab: Lab) => Promise<void>

const state = (name: string): string => `pool:n:state::1:g${name.length}:${name}`

const DAMAGES: Readonly<Record<string, Damage>> = {
  'a machine is gone, its places in the indexes are not': async () => {
    await ask('DEL', hash('vm-00001'))
    await ask('SREM', 'pool:vm_pool:set::g', 'vm-00001')
  },
  'a machine in use is gone, and still counts against its owner': async (lab) => {
    const { vm } = await lab.take({ owner: 'eve' })
    await ask('DEL', hash(vm.name))
    await ask('SREM', 'pool:vm_pool:set::g', vm.name)
  },
  'a machine stands in the index of another state': async () => {
    await ask('ZREM', state('ready'), 'vm-00001')
    await ask('ZADD', state('in_use'), '1', 'vm-00001')
  },
  'a machine stands in one index too many': async () => {
    await ask('ZADD', 'pool:n:ip::192.0.2.99', '0', 'vm-00001')
  },
  'a machine is due at another time than it says': async () => {
    await ask('ZADD', 'pool:n:due', '1', 'vm-00002')
  },
  'the index of free machines is thrown out': async () => {
    await ask('DEL', 'pool:n:free::1:g')
  },
  'a request that waits has lost its record': async (lab) => {
    await lab.wait({ id: 'orphan', owner: 'bob', count: 9 })
    await ask('DEL', 'pool:n:request::orphan')
  },
  'the first of a line has lost its record': async (lab) => {
    await lab.wait({ id: 'orphan', owner: 'bob', count: 9 })
    await lab.wait({ id: 'behind', owner: 'bob', count: 9 })
    await ask('DEL', 'pool:n:request::orphan')
  },
  'an ended request has lost its record': async (lab) => {
    const id = await lab.wait({ owner: 'bob', count: 9 })
    await lab.store.cancel({ id, reason: 'no more', now: lab.now })
    await ask('DEL', `pool:n:request::${id}`)
  },
  'the line of an owner is thrown out': async (lab) => {
    await lab.wait({ id: 'waits', owner: 'bob', count: 9 })
    await ask('DEL', 'pool:n:queue:own::1:g3:bob', 'pool:n:requests')
  },
}

/** What the reconciler does, until there is nothing more to do. @returns what it found at first */
async function care({ store, now }: Lab): Promise<readonly PartialRecord[]> {
  const found = await store.partialRecords({ now })
  if (found.length > 0) await store.repair({ names: found.map(({ name }) => name), graceMs: -1, now })
  return found
}

describe('indexes that say something else than the records', () => {
  test.each(Object.entries(DAMAGES))('C19 %s: it is found, and mended from the records', async (_what, damage) => {
    await using pool = await lab()
    await pool.ready(4)
    await damage(pool)
    await expect(pool.store.verify()).resolves.not.toEqual([])
    await care(pool)
    await expect(pool.store.verify()).resolves.toEqual([])
    await expect(pool.store.partialRecords({ now: pool.now })).resolves.toEqual([])
  })

  test('C19 of a machine that is gone its places are told, and a healthy pool has nothing to tell', async () => {
    await using pool = await lab()
    await pool.ready(2)
    await expect(pool.store.partialRecords({ now: pool.now })).resolves.toEqual([])
    await ask('DEL', hash('vm-00001'))
    await ask('SREM', 'pool:vm_pool:set::g', 'vm-00001')
    await ask('ZADD', 'pool:n:due', '1', 'vm-00002')
    expect(await partial(pool)).toEqual({ 'vm-00001': ['index'], 'vm-00002': ['index'] })
  })

  test('C19 no transition fails for a request without a record, and those behind it are served', async () => {
    await using pool = await lab()
    await pool.ready(1)
    const held = await pool.take({ owner: 'bob' })
    await pool.wait({ id: 'orphan', owner: 'bob' })
    pool.now += 1
    await pool.wait({ id: 'second', owner: 'bob' })
    pool.now += 1
    await pool.wait({ id: 'brief', owner: 'bob', waitUntil: pool.now + 5 })
    await ask('DEL', 'pool:n:request::orphan')
    await pool.release(held)
    await expect(pool.holds('second')).resolves.toEqual([held.vm.name])
    pool.now += 7_200_000
    await pool.store.expireRequests({ limit: 10, now: pool.now, fence: null })
    await expect(pool.store.requests({ limit: 10 })).resolves.toMatchObject({ requests: [] })
    await expect(pool.store.due({ now: pool.now, limit: 10 })).resolves.toMatchObject({ requests: 0 })
    await care(pool)
    await expect(pool.store.verify()).resolves.toEqual([])
  })

  test.each([1, 2, 3, 4, 5])(
    'C19 after random operations and random damage, seed %i, care makes all indexes right',
    async (seed) => {
      await using pool = await lab()
      const { store } = pool
      const random = new SeededRandom(seed)
      const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!
      await pool.configure([
        { id: 'g', maxTotal: 12, maxPerUser: 3, maxUses: 5 },
        { id: 'h', maxTotal: 6, dirtyPolicy: 'reset', maxInUse: 3 },
      ])
      let names = 0
      for (let round = 0; round < 10; round += 1) {
        for (let done = 0; done < 60; done += 1) {
          pool.now += Math.floor(random.next() * 300)
          const { vms } = await store.list({ limit: 1000 })
          const { requests } = await store.requests({ limit: 1000 })
          const next = (): string => `vm-${String((names += 1)).padStart(5, '0')}`
          const operation = randomOperation({ random, now: pool.now, vms, requests, fences: [0], next })
          await outcomeOf(operation, store)
        }
        await expect(store.verify()).resolves.toEqual([])
        const keys = ((await ask('KEYS', 'pool:n:*::*')) as string[]).filter((key) => !key.startsWith('pool:n:bound'))
        const records = (await ask('KEYS', 'pool:vm_instance:*')) as string[]
        for (let blow = 0; blow < 4; blow += 1) {
          const key = pick([pick([...keys, 'pool:n:due']), pick([...records, ...keys])])
          const kind = await ask('TYPE', key)
          const [member] = kind === 'zset' ? ((await ask('ZRANGE', key, '0', '0')) as string[]) : []
          if (member === undefined || random.next() < 0.4) await ask('DEL', key)
          else if (random.next() < 0.5) await ask('ZREM', key, member)
          else await ask('ZADD', key, String(Math.floor(random.next() * 1e6)), pick([member, 'a-stranger']))
        }
        await care(pool)
        // What lost its whole record was only then seen to stand where it should not.
        await care(pool)
        await expect(store.verify()).resolves.toEqual([])
      }
    },
  )
})

describe('records that lost a part', () => {
  test('C19 no look-up throws for them, and none is handed out', async () => {
    await using pool = await lab()
    await breakRecords()
    for (const name of ['no-hash', 'no-group', 'no-state', 'nothing']) {
      await expect(pool.store.get(name)).resolves.toBeNull()
    }
    await expect(pool.store.byIp('10.0.0.1')).resolves.toEqual([])
    await expect(pool.store.list({ limit: 10 })).resolves.toMatchObject({ vms: [] })
    await expect(pool.acquire()).resolves.toMatchObject({ outcome: 'unavailable' })
    await expect(pool.store.due({ now: pool.now, limit: 10 })).resolves.toMatchObject({ vms: [] })
    const release = { name: 'no-state', token: 't', now: pool.now }
    await expect(pool.store.release(release)).rejects.toMatchObject({ code: 'MS_POOL_VM_NOT_FOUND' })
  })

  test('C19 each is found with what it lacks, and since when', async () => {
    await using pool = await lab()
    await pool.add('whole')
    await breakRecords()
    expect(await partial(pool)).toEqual({
      'no-hash': ['hash'],
      'no-ip': ['vm_ip'],
      'no-group': ['group'],
      'no-state': ['state'],
      'no-entry': ['set entry'],
      nothing: ['set entry', 'vm_ip', 'group', 'state'],
    })
    const seen = pool.now
    pool.now += 1000
    expect((await pool.store.partialRecords({ now: pool.now })).map(({ firstSeenAt }) => firstSeenAt)).toEqual(
      Array.from({ length: 6 }, () => seen),
    )
  })

  test('C19 what can be mended is mended at once, the rest is dropped after the grace and not before', async () => {
    await using pool = await lab()
    await breakRecords()
    const names = Object.keys(await partial(pool))
    const repair = async () => await pool.store.repair({ names, graceMs: GRACE_MS, now: pool.now })
    const first = await repair()
    expect(first.changes.map(({ kind, vm }) => [kind, vm])).toEqual([
      ['vm.added', 'no-entry'],
      ['vm.added', 'no-group'],
    ])
    await expect(pool.store.list({ limit: 10 })).resolves.toMatchObject({
      vms: [
        { name: 'no-entry', group: 'g', state: 'got_ip' },
        { name: 'no-group', group: 'g' },
      ],
    })
    pool.now += GRACE_MS
    await repair()
    expect(Object.keys(await partial(pool))).toEqual(['no-hash', 'no-ip', 'no-state', 'nothing'])
    pool.now += 1
    const { changes } = await repair()
    expect(changes.map(({ kind, vm }) => `${kind} ${vm}`)).toEqual([
      'vm.removed no-hash',
      'vm.removed no-ip',
      'vm.removed no-state',
      'vm.removed nothing',
    ])
    expect(await partial(pool)).toEqual({})
    await expect(pool.store.verify()).resolves.toEqual([])
    await expect(ask('HLEN', 'pool:n:partial')).resolves.toBe(0)
  })

  test('C18 machines that another program wrote get their indexes by one call', async () => {
    await using pool = await lab()
    await ask('SADD', 'pool:vm_pool:set::g', 'theirs')
    const fields = ['vm_name', 'theirs', 'vm_ip', '10.0.0.9', 'group', 'g', 'state', 'in_use', 'bound_to_user', 'bob']
    await ask('HSET', hash('theirs'), ...fields, 'in_use_since', '1767225600.5', 'used_by_pid', '77', 'task_id', '12')
    await expect(pool.store.byTask('12')).resolves.toEqual([])
    await expect(pool.store.reindex({ now: pool.now, fence: null })).resolves.toEqual({ vms: 1 })
    await expect(pool.store.byTask('12')).resolves.toMatchObject([
      { name: 'theirs', worker: '77', inUseSince: 1_767_225_600_500, leaseToken: null },
    ])
    await expect(pool.store.usage(['bob'])).resolves.toMatchObject([{ held: 1, bound: { g: 1 } }])
    await expect(pool.store.verify()).resolves.toEqual([])
    await ask('HSET', hash('theirs'), 'bound_to_user', 'eve', 'vm_ip', '10.0.0.8')
    await ask('HDEL', hash('theirs'), 'task_id')
    await expect(pool.store.verify()).resolves.not.toEqual([])
    await pool.store.reindex({ now: pool.now, fence: null })
    await expect(pool.store.verify()).resolves.toEqual([])
    await ask('HSET', hash('theirs'), 'bound_to_user', 'bob', 'task_id', '12')
    await pool.store.reindex({ now: pool.now, fence: null })
    const lease = await pool.store.reattach({ taskId: '12', owner: 'bob', worker: 'w', leaseToken: 't', now: pool.now })
    await expect(pool.release(lease!)).resolves.toBe('ready')
    await expect(pool.store.verify()).resolves.toEqual([])
  })
})
