import { describe, expect, test } from 'vitest'

import { groupRules, poolRules } from '../../packages/mainstay/src/pool/options.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
import {
  VmDescriptor,
  adoptReferencePool,
  nativeRecord,
  type Adoption,
} from '../../packages/mainstay/src/pool/vmm/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { LEFT, LEFT_AT_S, leaveReferencePool } from './support/reference-pool.ts'
import { PoolFixture } from './support/vmm-pool.ts'

const server = usePrivateRedis()

const NOW = LEFT_AT_S * 1000
const CONFIGURATION = { pool: poolRules(), groups: [groupRules({ id: '0', maxTotal: 50 }), groupRules({ id: '1' })] }

/** What the reference left, with the native store beside it. */
async function left() {
  const pool = new PoolFixture(server())
  pool.at(LEFT_AT_S)
  await leaveReferencePool(server(), pool)
  const { clock, logger } = pool.dependencies
  const store = await openRedisPool({
    connection: server().connection,
    clock,
    logger,
    prefix: pool.options.prefix,
  })
  const adopt = async (): Promise<Adoption> =>
    await adoptReferencePool(CONFIGURATION, { ...pool.dependencies, keys: pool.keys, store })
  return { pool, store, adopt }
}

describe('a pool that the reference left becomes one of the native store (vm-pool.md C18)', () => {
  test('C18 every machine is known as it was, and the indexes are those of a recount', async () => {
    const { pool, store, adopt } = await left()
    await using _ = store
    expect(await adopt()).toEqual({ adopted: Object.keys(LEFT).sort(), refused: [] })
    expect(await store.verify()).toEqual([])
    for (const [name, fields] of Object.entries(LEFT)) {
      const vm = VmDescriptor.fromDict({ vm_name: name, group: '0', ...fields }, pool.keys)
      expect(await store.get(name)).toEqual(nativeRecord(vm, { now: NOW }))
    }
    const [group] = await store.counts({ now: NOW })
    expect(group).toMatchObject({ group: '0', states: { in_use: 2, ready: 3, terminating: 4, check_health: 3 } })
  })

  test('C18 no field of a running use is touched, and a second adoption changes nothing', async () => {
    const { pool, store, adopt } = await left()
    await using _ = store
    await adopt()
    const { task_id: _task, build_id: _build, chroot: _chroot, ...older } = LEFT['working-older']!
    expect(await pool.fields('working')).toMatchObject(LEFT['working']!)
    expect(await pool.fields('working-older')).toMatchObject(older)
    const before = await server().dump('copr:backend:vm_*')
    pool.at(LEFT_AT_S + 100)
    await adopt()
    expect(await server().dump('copr:backend:vm_*')).toEqual(before)
    expect(await store.verify()).toEqual([])
  })

  test('C18 half a record is refused and left as it is', async () => {
    const { pool, adopt, store } = await left()
    await using _ = store
    await pool.delete('failed', 'vm_ip')
    const before = await pool.fields('failed')
    expect(await adopt()).toMatchObject({ refused: [{ name: 'failed' }] })
    expect(await pool.fields('failed')).toEqual(before)
  })

  test('C18 nothing is handed out before it was checked again, and then to whom it is bound', async () => {
    const { store, adopt } = await left()
    await using _ = store
    await adopt()
    await store.markServerStart({ now: NOW, fence: null })
    const due = await store.due({ now: NOW, limit: 100 })
    const names = due.vms.map(({ vm }) => vm.name)
    expect(names).toEqual(
      expect.arrayContaining(['got-ip', 'failed', 'ready', 'ready-due', 'ready-dirty', 'ending-late']),
    )
    expect(names).not.toEqual(expect.arrayContaining(['working']))
    expect(names).not.toEqual(expect.arrayContaining(['working-older']))

    const request = { groups: ['0'], owner: 'bob', sandbox: 'bob--project', worker: 'w', leaseToken: 'secret' }
    const early = await store.acquire({ ...request, id: 'early', now: NOW })
    expect(early.outcome).toBe('unavailable')
    const now = NOW + 1000
    await store.startChecks({ checks: [{ name: 'ready-dirty', nextCheckAt: now + 120_000 }], now, fence: null })
    await store.checkPassed({ name: 'ready-dirty', startedAt: now, now: now + 1 })
    const later = await store.acquire({ ...request, id: 'later', now: now + 2 })
    expect(later).toMatchObject({ outcome: 'granted', leases: [{ vm: { name: 'ready-dirty', uses: 3 } }] })
    expect(await store.verify()).toEqual([])
  })

  test('C18 whoever goes on with a task keeps its machine, with a lease from then on', async () => {
    const { store, adopt } = await left()
    await using _ = store
    await adopt()
    const again = { taskId: '42-fedora', owner: 'foo', worker: 'worker:43', leaseToken: 'secret', now: NOW }
    const lease = await store.reattach(again)
    expect(lease).toMatchObject({ token: 'secret', vm: { name: 'working', worker: 'worker:43', state: 'in_use' } })
    await store.release({ name: 'working', token: 'secret', now: NOW + 1 })
    expect(await store.get('working')).toMatchObject({ state: 'ready', boundToUser: 'foo', worker: null, uses: 1 })
    expect(await store.verify()).toEqual([])
  })
})
