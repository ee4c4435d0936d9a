import { describe, expect, test } from 'vitest'

import type { PartialRecord } from '../../packages/mainstay/src/pool/store.ts'
import { Lab } from '../../packages/mainstay/src/pool/testing/lab.ts'
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
