import { describe, expect, test } from 'vitest'

import {
  NoVmAvailable,
  VmDescriptor,
  VmDescriptorNotFound,
  VmError,
  type VmState,
} from '../../packages/mainstay/src/pool/vmm/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { ARM, BASE, PoolFixture, vmmOptions } from './support/vmm-pool.ts'

const server = usePrivateRedis()

const OPTIONS = vmmOptions([
  { ...BASE, maxVmPerUser: 3 },
  { ...ARM, maxVmPerUser: undefined },
])

function newPool(options = OPTIONS): PoolFixture {
  return new PoolFixture(server(), options)
}

const ACQUIRABLE = { state: 'ready', last_health_check: 2 }
const WORK = { owner: 'bob', sandbox: 'S', worker: 'w1' }

async function names(acquiring: readonly Promise<VmDescriptor>[]): Promise<string[]> {
  return (await Promise.all(acquiring)).map(({ vmName }) => vmName).sort()
}

describe('the pool (vm-pool.md A5.1)', () => {
  test('B-27 its groups are 0 and 1', () => {
    expect(newPool().manager.vmGroups).toEqual([0, 1])
  })

  test('B-28 a machine is added once', async () => {
    const { manager } = newPool()
    const added = await manager.addVmToPool('127.0.0.1', 'vm', 0)
    await expect(manager.addVmToPool('127.0.0.1', 'vm', 0)).rejects.toThrow(VmError)
    const listed = await manager.getAllVmInGroup(0)
    expect(listed.map((vm) => vm.toDict())).toEqual([(await manager.getVmByName('vm')).toDict()])
    expect(listed[0]!.toDict()).toEqual(added.toDict())
    expect(listed[0]!.group).toBe(0)
  })

  test('B-28 nor to another group', async () => {
    const { manager } = newPool()
    await manager.addVmToPool('127.0.0.1', 'vm', 0)
    await expect(manager.addVmToPool('127.0.0.2', 'vm', 1)).rejects.toThrow(/vm is in the pool already/)
    expect(await manager.getAllVmInGroup(1)).toEqual([])
    expect((await manager.getVmByName('vm')).vmIp).toBe('127.0.0.1')
  })

  test('what an earlier machine of the name left behind does not stick to the new one', async () => {
    const pool = newPool()
    await pool.set('vm', { bound_to_user: 'foo', check_fails: 7 })
    await pool.manager.addVmToPool('127.0.0.1', 'vm', 0)
    expect(await pool.fields('vm')).toEqual({ vm_name: 'vm', vm_ip: '127.0.0.1', group: '0', state: 'got_ip' })
  })

  test.each(['got_ip', 'in_use', 'check_health', 'ready', 'check_health_failed'])(
    'B-42 a machine that is %s does not leave the pool',
    async (state) => {
      const pool = newPool()
      await pool.addVm('vm', 0, { state })
      await expect(pool.manager.removeVmFromPool('vm')).rejects.toThrow(VmError)
      expect(await pool.manager.getAllVmInGroup(0)).toHaveLength(1)
    },
  )

  test('B-42 a terminating one does, and nothing of it stays', async () => {
    const pool = newPool()
    await pool.addVm('vm', 0, { state: 'terminating' })
    await pool.manager.removeVmFromPool('vm')
    expect(await pool.manager.getAllVmInGroup(0)).toEqual([])
    expect(await server().dump()).toEqual({})
    await expect(pool.manager.removeVmFromPool('vm')).rejects.toThrow(VmDescriptorNotFound)
  })
})

describe('checks (vm-pool.md A4)', () => {
  test.each([
    ['check_health', 'check_health_failed'],
    ['got_ip', 'got_ip'],
    ['in_use', 'in_use'],
    ['ready', 'ready'],
    ['terminating', 'terminating'],
  ])('B-29 giving up the check of a machine that is %s leaves it %s', async (before, after) => {
    const pool = newPool()
    await pool.addVm('vm', 0, { state: before })
    expect(await pool.manager.markVmCheckFailed('vm')).toBe(before !== after)
    expect(await pool.get('vm', 'state')).toBe(after)
    expect(await pool.get('vm', 'check_fails')).toBeNull()
  })
})

describe('acquire (vm-pool.md A5.2)', () => {
  test.each([
    // last check, server start → handed out
    [null, null, false],
    [null, 1, false],
    [0, null, false],
    [0, 1, false],
    [1, 1, false],
    [2, 1, true],
    ['1.00002', '1.00001', true],
    ['garbage', 1, false],
  ])('B-30 a machine checked at %s, a master started at %s: handed out %s', async (check, start, handedOut) => {
    const pool = newPool()
    await pool.addVm('vm', 0, { state: 'ready', ...(check === null ? {} : { last_health_check: check }) })
    if (start !== null) await pool.redis.hSet(pool.keys.serverInfo, { server_start_timestamp: String(start) })
    const acquired = pool.manager.acquireVm({ groups: [0], ...WORK }).then(
      ({ vmName }) => vmName,
      (error: unknown) => (error instanceof NoVmAvailable ? null : Promise.reject(error)),
    )
    expect(await acquired).toBe(handedOut ? 'vm' : null)
    expect(await pool.get('vm', 'state')).toBe(handedOut ? 'in_use' : 'ready')
  })

  test('B-31 what the machine is for stands on it', async () => {
    const pool = newPool()
    pool.at(7.25)
    await pool.serverStartedAt(0)
    await pool.addVm('vm', 0, ACQUIRABLE)
    const work = { taskId: '20-fedora', buildId: '20', chroot: 'fedora' }
    const acquired = await pool.manager.acquireVm({ groups: [0], ...WORK, ...work })
    expect(acquired).toMatchObject({ ...work, state: 'in_use', usedByWorker: 'w1', inUseSince: 7.25, sandbox: 'S' })
    expect((await pool.manager.getVmByTaskId('20-fedora'))?.vmName).toBe('vm')
    expect(await pool.manager.getVmByTaskId('21-fedora')).toBeNull()
    expect(await pool.fields('vm')).toEqual({
      vm_name: 'vm',
      vm_ip: '127.0.0.1',
      group: '0',
      state: 'in_use',
      last_health_check: '2',
      bound_to_user: 'bob',
      sandbox: 'S',
      used_by_worker: 'w1',
      in_use_since: '7.25',
      task_id: '20-fedora',
      build_id: '20',
      chroot: 'fedora',
    })
  })

  test('B-31 what was not given is absent', async () => {
    const pool = newPool()
    await pool.serverStartedAt(0)
    await pool.addVm('vm', 0, ACQUIRABLE)
    await pool.manager.acquireVm({ groups: [0], ...WORK })
    const fields = await pool.fields('vm')
    expect(fields).not.toHaveProperty('task_id')
    expect(fields).not.toHaveProperty('build_id')
    expect(fields).not.toHaveProperty('chroot')
  })

  test.each([
    ['B-32', 'bob', 'S', 'foo', 'S'],
    ['B-33', 'foo', 'sandboxB', 'foo', 'sandboxA'],
  ])('%s a machine is refused to %s/%s and given to %s/%s, to whom it is bound', async (_, ...rest) => {
    const [otherOwner, otherSandbox, owner, sandbox] = rest
    const pool = newPool()
    await pool.serverStartedAt(0)
    await pool.addVm('vm', 0, { ...ACQUIRABLE, bound_to_user: owner, sandbox })
    const other = { groups: [0], worker: 'w1', owner: otherOwner, sandbox: otherSandbox }
    await expect(pool.manager.acquireVm(other)).rejects.toThrow(NoVmAvailable)
    await expect(pool.manager.acquireVm({ ...other, owner, sandbox })).resolves.toMatchObject({ vmName: 'vm' })
  })

  test('B-34 over several groups the bound machine comes first, then the clean ones in the order of the groups', async () => {
    const pool = newPool()
    await pool.serverStartedAt(0)
    await pool.addVm('clean0', 0, ACQUIRABLE)
    await pool.addVm('bound0', 0, { ...ACQUIRABLE, bound_to_user: 'bob', sandbox: 'S' })
    await pool.addVm('clean1', 1, ACQUIRABLE)
    const acquire = async (...groups: number[]) => (await pool.manager.acquireVm({ groups, ...WORK })).vmName
    expect(await acquire(0, 1)).toBe('bound0')
    expect(await acquire(0, 1)).toBe('clean0')
    await expect(acquire(0)).rejects.toThrow(NoVmAvailable)
    expect(await acquire(0, 1)).toBe('clean1')
  })

  test('B-35 the limit per user', async () => {
    const pool = newPool()
    await pool.serverStartedAt(0)
    for (const name of ['v1', 'v2', 'v3', 'v4']) await pool.addVm(name, 0, ACQUIRABLE)
    for (let count = 0; count < 3; count += 1) {
      expect(await pool.manager.canUserAcquireMoreVm('bob', 0)).toBe(true)
      await pool.manager.acquireVm({ groups: [0], ...WORK })
    }
    await expect(pool.manager.acquireVm({ groups: [0], ...WORK, taskId: 't9' })).rejects.toThrow(/for bob .* task t9/)
    expect(await pool.manager.canUserAcquireMoreVm('bob', 0)).toBe(false)
    expect(await pool.manager.canUserAcquireMoreVm('bob', 1)).toBe(true)
    await expect(pool.manager.acquireVm({ groups: [0], ...WORK, owner: 'foo' })).resolves.toBeDefined()
  })

  test('B-35 idle dirty machines count against it', async () => {
    const pool = newPool()
    await pool.serverStartedAt(0)
    for (const name of ['v1', 'v2', 'v3']) {
      await pool.addVm(name, 0, { ...ACQUIRABLE, bound_to_user: 'bob', sandbox: 'T' })
    }
    await pool.addVm('clean', 0, ACQUIRABLE)
    await expect(pool.manager.acquireVm({ groups: [0], ...WORK })).rejects.toThrow(NoVmAvailable)
  })

  test.each(['in_use', 'got_ip', 'check_health', 'terminating', 'check_health_failed'])(
    'B-36 a machine that is %s is not handed out',
    async (state) => {
      const pool = newPool()
      await pool.serverStartedAt(0)
      await pool.addVm('vm', 0, { ...ACQUIRABLE, state })
      await expect(pool.manager.acquireVm({ groups: [0], ...WORK })).rejects.toThrow(NoVmAvailable)
      expect(await pool.get('vm', 'state')).toBe(state)
    },
  )

  test('B-37 the bound machine is preferred, again after its release, and then the clean one', async () => {
    const pool = newPool()
    await pool.serverStartedAt(0)
    await pool.addVm('a-clean', 0, ACQUIRABLE)
    await pool.addVm('bound', 0, { ...ACQUIRABLE, bound_to_user: 'bob', sandbox: 'S' })
    const acquire = async () => (await pool.manager.acquireVm({ groups: [0], ...WORK })).vmName
    expect(await acquire()).toBe('bound')
    expect(await pool.manager.releaseVm('bound')).toBe(true)
    expect(await acquire()).toBe('bound')
    expect(await acquire()).toBe('a-clean')
  })

  test('B-46 a machine whose checks failed is passed over although it is ready', async () => {
    const pool = newPool()
    await pool.serverStartedAt(0)
    await pool.addVm('a-failed', 0, { ...ACQUIRABLE, check_fails: 1 })
    await pool.addVm('b-well', 0, { ...ACQUIRABLE, check_fails: 0 })
    await pool.addVm('c-unknown', 0, ACQUIRABLE)
    const twice = [1, 2].map(async () => await pool.manager.acquireVm({ groups: [0], ...WORK }))
    expect(await names(twice)).toEqual(['b-well', 'c-unknown'])
    await expect(pool.manager.acquireVm({ groups: [0], ...WORK })).rejects.toThrow(NoVmAvailable)
  })

  test('sixteen clients at once never get the same machine', async () => {
    const pool = newPool(vmmOptions([{ ...BASE, maxVmPerUser: 0 }]))
    await pool.serverStartedAt(0)
    const all = Array.from({ length: 12 }, (_, index) => `vm${String(index).padStart(2, '0')}`)
    for (const name of all) await pool.addVm(name, 0, ACQUIRABLE)
    const clients = Array.from({ length: 16 }, (_, index) => index)
    const got = await Promise.allSettled(
      clients.map(async (client) => await pool.manager.acquireVm({ groups: [0], ...WORK, owner: `user${client}` })),
    )
    const served = got.flatMap((each) => (each.status === 'fulfilled' ? [each.value.vmName] : []))
    expect(served.sort()).toEqual(all)
  })

  test('a machine that was used by another meanwhile is not handed out dirty', async () => {
    const pool = newPool()
    await pool.serverStartedAt(0)
    await pool.addVm('vm', 0, ACQUIRABLE)
    const seenClean = await pool.manager.getVmByName('vm')
    await pool.manager.acquireVm({ groups: [0], ...WORK, owner: 'foo' })
    await pool.manager.releaseVm('vm')
    const late = new PoolFixture(server(), OPTIONS).manager
    late.getAllVmInGroup = async () => [seenClean]
    await expect(late.acquireVm({ groups: [0], ...WORK })).rejects.toThrow(NoVmAvailable)
    expect(await pool.get('vm', 'bound_to_user')).toBe('foo')
  })
})

describe('release (vm-pool.md A5.3)', () => {
  test.each(['ready', 'got_ip', 'check_health', 'terminating', 'check_health_failed'])(
    'B-38 a machine that is %s is not given back',
    async (state) => {
      const pool = newPool()
      await pool.addVm('vm', 0, { state, builds_count: 3 })
      const before = await pool.fields('vm')
      expect(await pool.manager.releaseVm('vm')).toBe(false)
      expect(await pool.fields('vm')).toEqual(before)
    },
  )

  test('B-38 nor one that does not exist, and none comes into being', async () => {
    expect(await newPool().manager.releaseVm('nobody')).toBe(false)
    expect(await server().dump()).toEqual({})
  })

  const USE = {
    state: 'in_use',
    bound_to_user: 'bob',
    sandbox: 'S',
    in_use_since: 1,
    task_id: 't',
    build_id: 'b',
    chroot: 'c',
  }
  const KEPT = {
    vm_name: 'vm',
    vm_ip: '127.0.0.1',
    group: '0',
    bound_to_user: 'bob',
    sandbox: 'S',
    last_release: '9.5',
  }

  test.each([
    // check_fails, builds_count before → state, builds_count after
    [undefined, undefined, 'ready', '1'],
    ['0', '4', 'ready', '5'],
    ['2', '4', 'check_health_failed', '5'],
  ])('B-47 after %s failed checks and %s uses it is %s, used %s times', async (fails, before, state, after) => {
    const pool = newPool()
    pool.at(9.5)
    const checks: Record<string, string> = fails === undefined ? {} : { check_fails: fails }
    const uses: Record<string, string> = before === undefined ? {} : { builds_count: before }
    await pool.addVm('vm', 0, { ...USE, used_by_worker: 'w', ...checks, ...uses })
    expect(await pool.manager.releaseVm('vm')).toBe(true)
    expect(await pool.fields('vm')).toEqual({ ...KEPT, ...checks, state, builds_count: after })
  })

  test('B-47 a worker under the older name goes as well', async () => {
    const pool = newPool()
    pool.at(9.5)
    await pool.addVm('vm', 0, { ...USE, used_by_pid: '4711' })
    expect((await pool.manager.getVmByName('vm')).usedByWorker).toBe('4711')
    expect(await pool.manager.releaseVm('vm')).toBe(true)
    expect(await pool.fields('vm')).toEqual({ ...KEPT, state: 'ready', builds_count: '1' })
  })
})

describe('termination (vm-pool.md A5.4)', () => {
  test('B-39 publishes one request with the name', async () => {
    const pool = newPool()
    await pool.addVm('vm', 1)
    await using heard = await pool.listen()
    pool.at(3)
    expect(await pool.manager.startVmTermination('vm')).toBe(true)
    expect(await heard.messages()).toEqual([
      { topic: 'vm_termination_request', group: 1, vm_ip: '127.0.0.1', vm_name: 'vm' },
    ])
    expect(await pool.fields('vm')).toMatchObject({ state: 'terminating', terminating_since: '3' })
  })

  test('B-40 a terminating machine is asked for again where that state is allowed', async () => {
    const pool = newPool()
    await pool.addVm('vm', 0, { state: 'terminating', terminating_since: 1 })
    await using heard = await pool.listen()
    pool.at(5)
    expect(await pool.manager.startVmTermination('vm', { allowedPreState: 'terminating' })).toBe(true)
    expect(await heard.messages()).toHaveLength(1)
    expect(await pool.get('vm', 'terminating_since')).toBe('5')
  })

  test.each([
    ['terminating', undefined],
    ['ready', 'in_use'],
  ] as const)('B-41 a machine that is %s is not ended when %s is asked for', async (state, allowedPreState) => {
    const pool = newPool()
    await pool.addVm('vm', 0, { state, terminating_since: 1 })
    await using heard = await pool.listen()
    pool.at(5)
    const options = allowedPreState === undefined ? {} : { allowedPreState }
    for (let time = 0; time < 2; time += 1) {
      expect(await pool.manager.startVmTermination('vm', options)).toBe(false)
    }
    expect(await heard.texts()).toEqual([])
    expect(await pool.fields('vm')).toMatchObject({ state, terminating_since: '1' })
  })

  test('an unknown machine is named, and no record of it comes into being', async () => {
    await expect(newPool().manager.startVmTermination('nobody')).rejects.toThrow(VmDescriptorNotFound)
    expect(await server().dump()).toEqual({})
  })

  test('C6 the worker of a machine in use is told, and nobody else', async () => {
    const pool = newPool()
    await pool.addSix()
    await pool.set('a2', { state: 'in_use' })
    await using second = await pool.listen(pool.keys.interrupt('127.0.0.2'))
    await using third = await pool.listen(pool.keys.interrupt('127.0.0.3'))
    await pool.manager.startVmTermination('a2')
    await pool.manager.startVmTermination('a3')
    expect(await second.texts()).toEqual(['vm died'])
    expect(await third.texts()).toEqual([])
  })

  test.each([
    [undefined, false],
    ['in_use', true],
  ] as const)('protectInUse: a machine in use ends when %s is asked for: %s', async (allowedPreState, ends) => {
    const pool = newPool({ ...OPTIONS, protectInUse: true })
    await pool.addVm('vm', 0, { state: 'in_use' })
    const options = allowedPreState === undefined ? {} : { allowedPreState }
    expect(await pool.manager.startVmTermination('vm', options)).toBe(ends)
    expect(await pool.get('vm', 'state')).toBe(ends ? 'terminating' : 'in_use')
  })
})

describe('look-ups (vm-pool.md A5.5)', () => {
  const found = (vms: readonly VmDescriptor[]): string[] => vms.map(({ vmName }) => vmName).sort()

  test('B-43 by group, by state, all', async () => {
    const pool = newPool()
    const { manager } = pool
    await pool.addSix()
    await pool.set('a1', { state: 'ready', check_fails: 1, last_health_check: 1 })
    await pool.set('b1', { state: 'ready', bound_to_user: 'bob', sandbox: 'S' })
    await pool.set('b2', { state: 'in_use', task_id: 't1', used_by_worker: 'w', in_use_since: 0 })
    expect(found(await manager.getAllVmInGroup(0))).toEqual(['a1', 'a2', 'a3'])
    expect(found(await manager.getAllVmInGroup(1))).toEqual(['b1', 'b2', 'b3'])
    expect(found(await manager.getAllVm())).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3'])
    expect(found(await manager.getReadyVms(0))).toEqual(['a1'])
    expect(found(await manager.getVmByGroupAndStateList(null, ['ready']))).toEqual(['a1', 'b1'])
    const states: VmState[] = ['got_ip', 'in_use']
    expect(found(await manager.getVmByGroupAndStateList(1, states))).toEqual(['b2', 'b3'])
    await expect(manager.getVmByName('nobody')).rejects.toThrow(VmDescriptorNotFound)
    pool.at(61)
    expect(await manager.info()).toMatchInlineSnapshot(`
      "VM group #0 base archs: i386, x86_64
      ====================================
      VM name  IP         state   check fails  last check  bound to, uses  in use for
      a1       127.0.0.1  ready   1            60 s ago
      a2       127.0.0.2  got_ip  0            never
      a3       127.0.0.3  got_ip  0            never

      VM group #1 arm archs: armV7
      ============================
      VM name  IP         state   check fails  last check  bound to, uses  in use for
      b1       127.0.0.4  ready   0            never       bob/S, 0
      b2       127.0.0.5  in_use  0            never                       task t1 worker w since 61 s ago
      b3       127.0.0.6  got_ip  0            never"
    `)
  })

  test('B-44 by address, over all groups', async () => {
    const { manager } = newPool()
    await manager.addVmToPool('127.0.0.1', 'a1', 0)
    expect(await manager.lookupVmsByIp('127.0.0.1')).toHaveLength(1)
    await manager.addVmToPool('127.0.0.1', 'a2', 0)
    expect(await manager.lookupVmsByIp('127.0.0.1')).toHaveLength(2)
    await manager.addVmToPool('127.0.0.2', 'b1', 1)
    expect(found(await manager.lookupVmsByIp('127.0.0.1'))).toEqual(['a1', 'a2'])
  })

  test('C19 half a record is nobody in every look-up', async () => {
    const pool = newPool()
    const { manager } = pool
    await pool.addVm('whole')
    await pool.addVm('without address')
    await pool.delete('without address', 'vm_ip')
    await pool.addVm('of no group', 0, { group: 'None' })
    await server().connection.ask(['SADD', pool.keys.pool(0), 'without hash'])
    expect(found(await manager.getAllVm())).toEqual(['whole'])
    expect(found(await manager.lookupVmsByIp('127.0.0.1'))).toEqual(['whole'])
    for (const name of ['without address', 'of no group', 'without hash']) {
      await expect(manager.getVmByName(name)).rejects.toThrow(VmDescriptorNotFound)
    }
  })
})

describe('facts (vm-pool.md A5.5)', () => {
  test('B-45 the start of the master is noted each time', async () => {
    const pool = newPool()
    const mark = async () => await pool.redis.hGet(pool.keys.serverInfo, 'server_start_timestamp')
    expect(await mark()).toBeNull()
    for (const second of [0, 12.5]) {
      pool.at(second)
      await pool.manager.markServerStart()
      expect(await mark()).toBe(String(second))
    }
  })

  test('facts of a group are texts, and null when they are absent', async () => {
    const { manager } = newPool()
    expect(await manager.readVmPoolInfo(0, 'last_vm_spawn_start')).toBeNull()
    await manager.writeVmPoolInfo(0, 'last_vm_spawn_start', 0)
    expect(await manager.readVmPoolInfo(0, 'last_vm_spawn_start')).toBe('0')
    expect(await manager.readVmPoolInfo(1, 'last_vm_spawn_start')).toBeNull()
  })

  test('a worker goes on with its task on the same machine, and no other', async () => {
    const pool = newPool()
    await pool.addVm('vm', 0, { state: 'in_use', task_id: 't1', used_by_pid: '17' })
    expect(await pool.manager.reattachWorker('vm', { taskId: 't2', worker: 'w2' })).toBe(false)
    expect(await pool.manager.reattachWorker('vm', { taskId: 't1', worker: 'w2' })).toBe(true)
    expect(await pool.fields('vm')).toMatchObject({ state: 'in_use', used_by_worker: 'w2' })
    expect(await pool.get('vm', 'used_by_pid')).toBeNull()
  })
})

test('a descriptor reads and writes single fields', async () => {
  const { redis, keys, manager } = newPool()
  const vm = await manager.addVmToPool('127.0.0.1', 'vm', 0)
  expect(vm.vmKey).toBe('copr:backend:vm_instance:hset::vm')
  await vm.storeField(redis, 'check_fails', 2)
  expect(vm.checkFails).toBe(2)
  await redis.hSet(vm.vmKey, { check_fails: '3' })
  expect(await vm.getField(redis, 'check_fails')).toBe('3')
  expect(vm.checkFails).toBe(3)
  expect(await vm.getField(redis, 'task_id')).toBeNull()
  const copy = VmDescriptor.fromDict({ ...vm.toDict(), vm_name: 'copy', task_id: null }, keys)
  await copy.store(redis)
  expect(await redis.hGetAll(keys.vm('copy'))).toEqual({ ...vm.toDict(), vm_name: 'copy' })
})
