import { describe, expect, test, vi } from 'vitest'

import {
  EventHandler,
  RedisDriver,
  Recycler,
  SCRIPTS,
  VmmKeys,
  type BusItem,
  type BusMessage,
} from '../../packages/mainstay/src/pool/vmm/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { ARM, BASE, PoolFixture, vmmOptions } from './support/vmm-pool.ts'

const server = usePrivateRedis()

const PATIENCE = { timeout: 30_000 }

/** An event handler whose terminator is a double. The group's `vm_max_check_fails` is 2. */
function newHandler({ protectInUse = false } = {}) {
  const options = vmmOptions([{ ...BASE, vmMaxCheckFails: 2 }, ARM], { protectInUse })
  const pool = new PoolFixture(server(), options)
  const terminator = {
    terminateVm: vi.fn(async (_ip: string, _name: string, _group: number) => {}),
    recycle: vi.fn(async () => {}),
    terminate: vi.fn(async () => {}),
  }
  const handler = new EventHandler(options, { ...pool.dependencies, manager: pool.manager, terminator })
  const result = async (name: string, outcome: 'OK' | 'failed'): Promise<void> =>
    await handler.handle({ topic: 'health_check', vm_ip: '127.0.0.1', vm_name: name, result: outcome, msg: '' })
  return { pool, terminator, handler, result }
}

async function scriptsKnown(): Promise<unknown> {
  const { onHealthCheckSuccess, recordFailure } = SCRIPTS
  return await server().connection.ask(['SCRIPT', 'EXISTS', onHealthCheckSuccess.sha1, recordFailure.sha1])
}

describe('the event handler (vm-pool.md A9)', () => {
  test('B-48 its scripts are known once it is initialised, and not before', async () => {
    await server().connection.ask(['SCRIPT', 'FLUSH'])
    const { pool, handler } = newHandler()
    await pool.manager.postInit()
    expect(handler.scripts).toBeUndefined()
    expect(await scriptsKnown()).toEqual([0, 0])
    await handler.postInit()
    expect(handler.scripts).toMatchObject({ onHealthCheckSuccess: expect.anything(), recordFailure: expect.anything() })
    expect(await scriptsKnown()).toEqual([1, 1])
  })

  test('B-48 a script that the server has forgotten is sent again', async () => {
    const { pool, handler, result } = newHandler()
    await handler.postInit()
    await server().connection.ask(['SCRIPT', 'FLUSH'])
    await pool.addVm('vm', 0, { state: 'check_health' })
    await result('vm', 'OK')
    expect(await pool.get('vm', 'state')).toBe('ready')
  })

  test('B-49 the recycler works once per period until it is stopped', async () => {
    const { pool, terminator } = newHandler()
    const recycler = new Recycler({ ...pool.dependencies, periodMs: 60_000, target: terminator })
    recycler.start()
    for (const calls of [1, 2]) {
      await pool.clock.advance(59_999)
      expect(terminator.recycle).toHaveBeenCalledTimes(calls - 1)
      await pool.clock.advance(1)
      expect(terminator.recycle).toHaveBeenCalledTimes(calls)
    }
    await pool.clock.advance(30_000)
    await recycler.stop()
    expect(terminator.recycle).toHaveBeenCalledTimes(3)
  })

  test('B-49 a recycler goes on after a failure', async () => {
    const { pool, terminator } = newHandler()
    terminator.recycle.mockRejectedValueOnce(new Error('broken'))
    const recycler = new Recycler({ ...pool.dependencies, periodMs: 60_000, target: terminator })
    recycler.start()
    await pool.clock.advance(120_000)
    expect(terminator.recycle).toHaveBeenCalledTimes(2)
    await recycler.stop()
  })

  test('B-50 a machine that was spawned is added', async () => {
    const { pool, handler } = newHandler()
    await handler.handle({ topic: 'vm_spawned', vm_ip: '127.0.0.9', vm_name: 'vm', group: 1 })
    expect((await pool.manager.getAllVmInGroup(1)).map((vm) => vm.toDict())).toEqual([
      { vm_name: 'vm', vm_ip: '127.0.0.9', group: '1', state: 'got_ip' },
    ])
  })

  test('B-50 to a group that exists', async () => {
    const { handler } = newHandler()
    const message = { topic: 'vm_spawned', vm_ip: '127.0.0.9', vm_name: 'vm', group: 2 } as const
    await expect(handler.handle(message)).rejects.toThrow(/group 2, which does not exist/)
    expect(await server().dump()).toEqual({})
  })

  test('B-51 the end of a machine that is asked for is begun', async () => {
    const { handler, terminator } = newHandler()
    await handler.handle({ topic: 'vm_termination_request', vm_ip: '127.0.0.9', vm_name: 'vm', group: 1 })
    expect(terminator.terminateVm.mock.calls).toEqual([['127.0.0.9', 'vm', 1]])
  })

  test.each(['OK', 'failed'] as const)('B-52 a check %s of an unknown machine changes nothing', async (outcome) => {
    const { handler, result } = newHandler()
    await handler.postInit()
    await result('nobody', outcome)
    expect(await server().dump()).toEqual({})
  })

  test.each([
    // state, check_fails → state, check_fails
    ['check_health', 1, 'ready', '0'],
    ['in_use', 1, 'in_use', '0'],
    ['terminating', 1, 'terminating', '1'],
    ['got_ip', 1, 'got_ip', '1'],
    ['ready', 1, 'ready', '1'],
    ['check_health_failed', 1, 'check_health_failed', '1'],
  ])(
    'B-53 a check that succeeded, of a machine %s with %d failures: %s with %s',
    async (before, fails, after, left) => {
      const { pool, handler, result } = newHandler()
      await handler.postInit()
      await pool.addVm('vm', 0, { state: before, check_fails: fails })
      await result('vm', 'OK')
      expect(await pool.fields('vm')).toMatchObject({ state: after, check_fails: left })
    },
  )

  test.each([
    ['B-54', 'check_health', 'check_health_failed'],
    ['B-55', 'in_use', 'in_use'],
  ])('%s failed checks of a machine %s leave it %s, and the third ends it', async (_, before, after) => {
    const { pool, handler, result } = newHandler()
    await handler.postInit()
    await pool.addVm('vm', 0, { state: before })
    await using heard = await pool.listen()
    for (const fails of ['1', '2']) {
      await result('vm', 'failed')
      expect(await pool.fields('vm')).toMatchObject({ state: after, check_fails: fails })
      expect(await heard.texts()).toEqual([])
    }
    await result('vm', 'failed')
    expect(await pool.fields('vm')).toMatchObject({ state: 'terminating', check_fails: '3' })
    expect(await heard.messages()).toEqual([
      { topic: 'vm_termination_request', group: 0, vm_ip: '127.0.0.1', vm_name: 'vm' },
    ])
  })

  test('B-55 with protectInUse a machine in use is kept, as in the oldest versions', async () => {
    const { pool, handler, result } = newHandler({ protectInUse: true })
    await handler.postInit()
    await pool.addVm('vm', 0, { state: 'in_use' })
    await using heard = await pool.listen()
    for (let fails = 0; fails < 4; fails += 1) await result('vm', 'failed')
    expect(await pool.fields('vm')).toMatchObject({ state: 'in_use', check_fails: '4' })
    expect(await heard.texts()).toEqual([])
  })

  test.each(['terminating', 'got_ip', 'ready'])(
    'B-56 a late failure of a machine %s counts for nothing',
    async (state) => {
      const { pool, handler, result } = newHandler()
      await handler.postInit()
      await pool.addVm('vm', 0, { state, check_fails: 100 })
      await using heard = await pool.listen()
      await result('vm', 'failed')
      expect(await pool.fields('vm')).toMatchObject({ state, check_fails: '100' })
      expect(await heard.texts()).toEqual([])
    },
  )

  test.each([
    [{ result: 'OK', vm_name: 'vm' }, true],
    [{ result: 'OK' }, false],
    [{ result: 'failed', vm_name: 'vm', msg: 'timeout' }, false],
  ] as const)('B-57 the end of a machine, %o: it leaves the pool %s', async (outcome, removed) => {
    const { pool, handler } = newHandler()
    await pool.addVm('vm', 0, { state: 'terminating' })
    await handler.handle({ topic: 'vm_terminated', vm_ip: '127.0.0.1', group: 0, ...outcome } satisfies BusMessage)
    expect(await pool.manager.getAllVmInGroup(0)).toHaveLength(removed ? 0 : 1)
  })

  test('B-58 it starts the recycler and listens, and stops both', async () => {
    const { pool, handler, terminator } = newHandler()
    await handler.postInit()
    const { ended } = await handler.start()
    await pool.redis.publish(pool.keys.bus, '{"topic":"vm_spawned","vm_ip":"127.0.0.9","vm_name":"vm","group":0}')
    await vi.waitFor(async () => expect(await pool.manager.getAllVm()).toHaveLength(1), PATIENCE)
    expect(handler.killReceived).toBe(false)
    expect(pool.clock.pending).toBe(1)
    await pool.clock.advance(60_000)
    expect(terminator.recycle).toHaveBeenCalledTimes(1)
    await handler.terminate()
    await ended
    expect(handler.killReceived).toBe(true)
    expect(pool.clock.pending).toBe(0)
  })

  test('B-59 nothing that comes over the bus ends the listening but the stop', async () => {
    const { pool, handler, terminator } = newHandler()
    const message = (data: string): BusItem => ({ type: 'message', data })
    const request = (name: string): BusItem =>
      message(`{"topic":"vm_termination_request","vm_ip":"127.0.0.1","vm_name":"${name}","group":0}`)
    terminator.terminateVm.mockRejectedValueOnce(new Error('broken'))
    const items: readonly unknown[] = [
      null,
      {},
      { type: 'subscribe', data: pool.keys.bus },
      { type: 'message' },
      message('{'),
      message('[1]'),
      message('{"vm_name":"vm"}'),
      message('{"topic":"tea_time"}'),
      message('{"topic":"vm_spawned","vm_ip":"127.0.0.1","group":0}'),
      message('{"topic":"vm_spawned","vm_ip":"127.0.0.1","vm_name":"vm","group":"many"}'),
      request('failing'),
      request('good'),
    ]
    async function* bus(): AsyncGenerator {
      yield* items
      handler.killReceived = true
      yield request('after the stop')
      yield request('long after the stop')
    }
    const log = vi.spyOn(pool.logger, 'error')
    await handler.listen(bus())
    const logged = log.mock.calls.length
    log.mockRestore()
    expect(logged).toBe(7)
    expect(terminator.terminateVm.mock.calls.map(([, name]) => name)).toEqual(['failing', 'good'])
  })
})

test('the bus is heard again after Redis was away', async () => {
  const { pool, handler } = newHandler()
  await handler.postInit()
  const { ended } = await handler.start()
  const clients = server().connection.duplicate()
  await clients.whenReady({ timeoutMs: 30_000 })
  // Only the connection that hears the bus is cut.
  await clients.ask(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
  await vi.waitFor(async () => {
    await pool.redis.publish(pool.keys.bus, '{"topic":"vm_spawned","vm_ip":"127.0.0.9","vm_name":"vm","group":0}')
    expect(await pool.manager.getAllVm()).toHaveLength(1)
  }, PATIENCE)
  await clients.close()
  await handler.terminate()
  await ended
})

test('keys and channels of the reference, byte for byte (vm-pool.md A3)', () => {
  const keys = new VmmKeys('copr:backend:')
  expect([keys.pool(0), keys.vm('a'), keys.poolInfo(0), keys.serverInfo]).toEqual([
    'copr:backend:vm_pool:set::0',
    'copr:backend:vm_instance:hset::a',
    'copr:backend:vm_pool_info:hset::0',
    'copr:backend:server_info:hset::',
  ])
  expect([keys.bus, keys.interrupt('10.0.0.1'), keys.taskEnd]).toEqual([
    'copr:backend:vm:pubsub::',
    'copr:backend:interrupt_build:pubsub::10.0.0.1',
    'copr:backend:daemons:job_grab:task_end:pubsub::',
  ])
})

test('a life of a machine as it stands in Redis, byte for byte (vm-pool.md A2, A3)', async () => {
  const { pool, handler, result } = newHandler()
  await handler.postInit()
  const prefix = 'copr:backend:'
  const [vmKey, poolKey] = [`${prefix}vm_instance:hset::vm`, `${prefix}vm_pool:set::0`]
  await using heard = await pool.listen()

  pool.at(1_411_390_000.25)
  await pool.manager.markServerStart()
  const mark = { [`${prefix}server_info:hset::`]: { server_start_timestamp: '1411390000.25' } }
  const born = { vm_name: 'vm', vm_ip: '10.0.0.1', group: '0', state: 'got_ip' }
  await pool.manager.addVmToPool('10.0.0.1', 'vm', 0)
  const stored = async (vm: Record<string, string>): Promise<void> =>
    expect(await server().dump()).toEqual({ ...mark, [poolKey]: ['vm'], [vmKey]: vm })
  await stored(born)

  pool.at(1_411_390_001.5)
  await pool.manager.setCheckingState(await pool.manager.getVmByName('vm'))
  const checking = { ...born, state: 'check_health', last_health_check: '1411390001.5' }
  await stored(checking)
  await result('vm', 'failed')
  await stored({ ...checking, state: 'check_health_failed', check_fails: '1' })

  pool.at(1_411_390_002)
  await pool.manager.setCheckingState(await pool.manager.getVmByName('vm'))
  await result('vm', 'OK')
  const ready = { ...born, state: 'ready', last_health_check: '1411390002', check_fails: '0' }
  await stored(ready)

  pool.at(1_411_390_003)
  const work = { taskId: '7-fedora', buildId: '7', chroot: 'fedora' }
  await pool.manager.acquireVm({ groups: [0], owner: 'bob', sandbox: 'bob/project', worker: '4711', ...work })
  const bound = { ...ready, bound_to_user: 'bob', sandbox: 'bob/project' }
  await stored({
    ...bound,
    state: 'in_use',
    used_by_worker: '4711',
    in_use_since: '1411390003',
    task_id: '7-fedora',
    build_id: '7',
    chroot: 'fedora',
  })

  pool.at(1_411_390_004)
  await pool.manager.releaseVm('vm')
  const released = { ...bound, last_release: '1411390004', builds_count: '1' }
  await stored(released)

  pool.at(1_411_390_005)
  await pool.manager.startVmTermination('vm')
  await stored({ ...released, state: 'terminating', terminating_since: '1411390005' })
  expect(await heard.texts()).toEqual([
    '{"topic":"vm_termination_request","group":0,"vm_ip":"10.0.0.1","vm_name":"vm"}',
  ])
  await handler.handle({ topic: 'vm_terminated', vm_ip: '10.0.0.1', vm_name: 'vm', group: 0, result: 'OK' })
  await pool.manager.writeVmPoolInfo(0, 'last_vm_spawn_start', 1_411_390_006.5)
  const info = { [`${prefix}vm_pool_info:hset::0`]: { last_vm_spawn_start: '1411390006.5' } }
  expect(await server().dump()).toEqual({ ...mark, ...info })
})

test('another prefix is another pool', async () => {
  const one = new PoolFixture(server(), vmmOptions(undefined, { prefix: 'one:' }))
  const other = new PoolFixture(server(), vmmOptions(undefined, { prefix: 'other:' }))
  await one.addVm('vm')
  expect(await other.manager.getAllVm()).toEqual([])
  expect(Object.keys(await server().dump()).sort()).toEqual(['one:vm_instance:hset::vm', 'one:vm_pool:set::0'])
  const driver = new RedisDriver(server().connection, one.dependencies)
  expect(await driver.sMembers('one:vm_pool:set::0')).toEqual(['vm'])
})
