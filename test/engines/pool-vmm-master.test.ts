import { describe, expect, onTestFinished, test, vi, type Mock } from 'vitest'

import { SeededRandom, integerBetween } from '../../packages/mainstay/src/core/random.ts'
import {
  LocalWorkers,
  RuntimeError,
  VmError,
  VmMaster,
  VmSpawnLimitReached,
  type LocalWorkersDependencies,
  type VmMasterDependencies,
  type VmState,
} from '../../packages/mainstay/src/pool/vmm/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { ARM, BASE, PoolFixture, vmmOptions } from './support/vmm-pool.ts'

const server = usePrivateRedis()

const { signal } = new AbortController()

/** The tests of the reference exist twice: with the manager alone, and with its second step of initialisation. */
const FORMS = [{ form: 'new' }, { form: 'older' }] as const

/** The six machines, and a master whose spawner and checker are doubles. */
async function newPool(form: 'new' | 'older', { six = true, options = vmmOptions() } = {}) {
  const pool = new PoolFixture(server(), options)
  if (form === 'older') for (let time = 0; time < 2; time += 1) await pool.manager.postInit()
  if (six) await pool.addSix()
  const spawner = {
    startSpawn: vi.fn(async (_group: number) => {}),
    getProcNumPerGroup: vi.fn((_group: number) => 0),
    recycle: vi.fn(async () => {}),
    terminate: vi.fn(async () => {}),
  }
  const checker = { runCheckHealth: vi.fn(async (_name: string, _ip: string) => {}), terminate: vi.fn(async () => {}) }
  const newMaster = (replaced: Partial<VmMasterDependencies> = {}): VmMaster =>
    new VmMaster(options, { ...pool.dependencies, manager: pool.manager, spawner, checker, ...replaced })
  return { pool, manager: pool.manager, spawner, checker, newMaster, master: newMaster() }
}

/** Replaces a method for this test. */
function double<T extends object>(target: T, method: keyof T & string): Mock<(...args: unknown[]) => unknown> {
  const spy = vi.spyOn(target, method as never)
  onTestFinished(() => spy.mockRestore())
  return spy as unknown as Mock<(...args: unknown[]) => unknown>
}

/** What a double was called with, in the order of the first argument. */
function calls(spy: { mock: { calls: readonly (readonly unknown[])[] } }): unknown[][] {
  return spy.mock.calls.map((each) => [...each]).sort(([a], [b]) => String(a).localeCompare(String(b)))
}

/** Whether a limit of spawning is reached. Any other failure is one. */
async function isRefused(check: Promise<void>): Promise<boolean> {
  try {
    await check
    return false
  } catch (error) {
    if (error instanceof VmSpawnLimitReached) return true
    throw error
  }
}

describe.each(FORMS)('the master (vm-pool.md A6), $form form', ({ form }) => {
  test('B-3 the six machines are there', async () => {
    const { manager } = await newPool(form)
    expect((await manager.getAllVm()).map(({ vmName }) => vmName)).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3'])
  })

  test('B-4 idle dirty machines are thrown away', async () => {
    const { pool, manager, master } = await newPool(form)
    for (const name of ['a1', 'a2', 'b1', 'b2']) await pool.set(name, { state: 'ready' })
    for (const name of ['a1', 'a2', 'b1']) await pool.set(name, { last_release: 0 })
    for (const name of ['a1', 'b1', 'b2']) await pool.set(name, { bound_to_user: 'user' })
    for (const name of ['a3', 'b3']) await pool.set(name, { state: 'in_use', bound_to_user: 'user', last_release: 0 })
    const terminate = double(manager, 'startVmTermination').mockResolvedValue(true)
    for (const second of [1, 120]) {
      pool.at(second)
      await master.removeOldDirtyVms()
      expect(terminate).not.toHaveBeenCalled()
    }
    pool.at(121)
    await master.removeOldDirtyVms()
    expect(calls(terminate)).toEqual([
      ['a1', { allowedPreState: 'ready' }],
      ['b1', { allowedPreState: 'ready' }],
    ])
  })

  test.each([
    ['by existence alone', undefined, ['a2', 'b2']],
    [
      'by existence and by what it works for',
      (pid: string, vmName: string) => pid === '1' && vmName === 'a1',
      ['a2', 'b2', 'b3'],
    ],
  ] as const)('B-5 machines whose worker is gone are ended, %s', async (_, processOwnsVm, ended) => {
    const { pool, manager, newMaster } = await newPool(form)
    pool.at(1_763_735_568)
    const work = { state: 'in_use', in_use_since: 0, task_id: 't', build_id: 'b' }
    for (const name of ['a1', 'a2', 'b1', 'b2']) await pool.set(name, { ...work, chroot: 'c' })
    await pool.set('b3', work)
    for (const [pid, name] of ['a1', 'a2', 'b2', 'b3'].entries()) await pool.set(name, { used_by_pid: pid + 1 })
    await pool.set('a3', { state: 'ready' })
    const terminate = double(manager, 'startVmTermination').mockResolvedValue(true)
    const processExists = (pid: string): boolean => ['1', '4'].includes(pid)
    const localWorkers = new LocalWorkers({ ...pool.dependencies, manager, processExists, processOwnsVm })
    await using heard = await pool.listen(pool.keys.taskEnd)
    const looking = newMaster({ localWorkers }).removeVmWithDeadBuilder()
    await vi.waitFor(() => expect(pool.clock.pending).toBe(1), { timeout: 30_000 })
    expect(terminate).not.toHaveBeenCalled()
    await pool.clock.advance(5000)
    await looking
    expect(calls(terminate)).toEqual(ended.map((name) => [name, { allowedPreState: 'in_use' }]))
    const reschedule = { action: 'reschedule', task_id: 't', build_id: 'b', chroot: 'c' }
    expect(await heard.messages()).toEqual([reschedule, reschedule])
  })

  test.each([
    // worker, in use since, at → ended
    ['None', 0, 59, false],
    ['None', 0, 60, true],
    ['9999999', 0, 1, true],
    [String(process.pid), 0, 1000, false],
    ['1', 0, 1000, false],
    ['worker-of-another-kind', 0, 1000, false],
  ])('B-5 a worker %s of a machine in use since %d, at %d: ended %s', async (worker, since, second, ended) => {
    const { pool, manager } = await newPool(form)
    await pool.set('a1', { state: 'in_use', in_use_since: since, used_by_worker: worker })
    pool.at(second)
    const looking = new LocalWorkers({
      ...pool.dependencies,
      manager,
    } satisfies LocalWorkersDependencies).endAbandoned({ signal })
    let done = false
    void looking.then(() => (done = true))
    await vi.waitFor(() => expect(done || pool.clock.pending === 1).toBe(true), { timeout: 30_000 })
    await pool.clock.advance(5000)
    await looking
    expect(await pool.get('a1', 'state')).toBe(ended ? 'terminating' : 'in_use')
  })

  test('B-5 nothing is ended when the master stops between the two looks', async () => {
    const { pool, manager, newMaster } = await newPool(form)
    await pool.set('a1', { state: 'in_use', in_use_since: 0, used_by_worker: '7' })
    const localWorkers = new LocalWorkers({ ...pool.dependencies, manager, processExists: () => false })
    const master = newMaster({ localWorkers })
    const cycle = master.doCycle()
    await vi.waitFor(() => expect(pool.clock.pending).toBe(1), { timeout: 30_000 })
    await master.terminate()
    await cycle
    expect(await pool.get('a1', 'state')).toBe('in_use')
  })

  test('B-5 a worker that appears at the second look keeps its machine', async () => {
    const { pool, manager } = await newPool(form)
    await pool.set('a1', { state: 'in_use', in_use_since: 0, used_by_worker: '7' })
    const processExists = vi.fn<(pid: string) => boolean>().mockReturnValueOnce(false).mockReturnValueOnce(true)
    const looking = new LocalWorkers({ ...pool.dependencies, manager, processExists }).endAbandoned({ signal })
    await vi.waitFor(() => expect(pool.clock.pending).toBe(1), { timeout: 30_000 })
    await pool.clock.advance(5000)
    await looking
    expect(processExists).toHaveBeenCalledTimes(2)
    expect(await pool.get('a1', 'state')).toBe('in_use')
  })

  test('B-6 which machines are checked', async () => {
    const { pool, master } = await newPool(form)
    const names = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3']
    const states = ['in_use', 'check_health', 'check_health_failed', 'got_ip', 'ready', 'terminating']
    for (const [index, name] of names.entries()) await pool.set(name, { state: states[index]!, last_health_check: 0 })
    const check = double(master, 'startVmCheck').mockResolvedValue(true)
    for (const second of [1, 10]) {
      pool.at(second)
      await master.checkVmsHealth()
      expect(check).not.toHaveBeenCalled()
    }
    pool.at(11)
    await master.checkVmsHealth()
    expect(calls(check)).toEqual([['a1'], ['a3'], ['b1'], ['b2']])
    check.mockClear()
    for (const name of names) await pool.delete(name, 'last_health_check')
    await master.checkVmsHealth()
    expect(calls(check)).toEqual([['a1'], ['a3'], ['b1'], ['b2']])
  })

  test('B-7 checks that take too long are given up', async () => {
    const { pool, manager, master } = await newPool(form)
    await pool.set('a1', { state: 'in_use', last_health_check: 0 })
    await pool.set('a2', { state: 'check_health', last_health_check: 0 })
    await pool.set('a3', { state: 'check_health', last_health_check: 70 })
    const give = double(manager, 'markVmCheckFailed').mockResolvedValue(true)
    pool.at(60)
    await master.finalizeLongHealthChecks()
    expect(give).not.toHaveBeenCalled()
    pool.at(71)
    await master.finalizeLongHealthChecks()
    expect(give.mock.calls).toEqual([['a2']])
  })

  describe('terminate again', () => {
    async function doubled() {
      const made = await newPool(form)
      const remove = double(made.manager, 'removeVmFromPool').mockResolvedValue(undefined)
      const terminate = double(made.manager, 'startVmTermination').mockResolvedValue(true)
      return { ...made, remove, terminate }
    }

    test('B-8 nothing is terminating: nothing is done', async () => {
      const { pool, master, remove, terminate } = await doubled()
      for (const [name, state] of [
        ['a1', 'in_use'],
        ['a2', 'check_health'],
        ['a3', 'ready'],
      ] as const)
        await pool.set(name, { state })
      pool.at(1)
      await master.terminateAgain()
      expect([remove, terminate].map(({ mock }) => mock.calls)).toEqual([[], []])
    })

    test.each([
      // case, second, whether its address is shared → removed, asked again
      ['B-9', 1, false, [], []],
      ['B-9', 300, false, [], []],
      ['B-10', 301, false, [], [['a1', { allowedPreState: 'terminating' }]]],
      ['B-11', 1, true, [], []],
      ['B-12', 301, true, [['a1']], []],
    ])('%s at %d s, address shared %s', async (_, second, shared, removed, asked) => {
      const { pool, master, remove, terminate } = await doubled()
      await pool.set('a1', { state: 'terminating', terminating_since: 0 })
      if (shared) await pool.set('a2', { vm_ip: '127.0.0.1' })
      pool.at(second)
      await master.terminateAgain()
      expect(remove.mock.calls).toEqual(removed)
      expect(terminate.mock.calls).toEqual(asked)
    })

    test('B-12 of two terminating machines at one address the last one is asked again, not forgotten', async () => {
      const { pool, manager, master } = await newPool(form)
      for (const name of ['a1', 'a2']) {
        await pool.set(name, { state: 'terminating', terminating_since: 0, vm_ip: '127.0.0.1' })
      }
      pool.at(301)
      await master.terminateAgain()
      expect((await manager.lookupVmsByIp('127.0.0.1')).map(({ vmName }) => vmName)).toEqual(['a2'])
      expect(await pool.get('a2', 'terminating_since')).toBe('301')
    })
  })

  test('B-13 its loop survives errors', async () => {
    const { pool, manager, newMaster } = await newPool(form)
    const sleeps: number[] = []
    const clock = {
      now: () => 0,
      monotonic: () => 0,
      after: () => ({ [Symbol.dispose]: () => {} }),
      sleep: async (delayMs: number) => {
        sleeps.push(delayMs)
        if (sleeps.length === 2) master.killReceived = true
      },
    }
    const master = newMaster({ clock })
    const cycle = double(master, 'doCycle').mockRejectedValueOnce(new VmError('first')).mockResolvedValueOnce(undefined)
    const mark = double(manager, 'markServerStart')
    await master.run()
    expect(sleeps).toEqual([10_000, 10_000])
    expect(cycle).toHaveBeenCalledTimes(2)
    expect(mark).toHaveBeenCalledTimes(1)
    expect(await pool.redis.hGet(pool.keys.serverInfo, 'server_start_timestamp')).toBe('0')
  })

  test.each(['spawner', 'checker'] as const)('B-13 without a %s it does not start, and marks nothing', async (part) => {
    const { pool, newMaster } = await newPool(form)
    await expect(newMaster({ [part]: null }).run()).rejects.toThrow(RuntimeError)
    expect(await pool.redis.hGetAll(pool.keys.serverInfo)).toEqual({})
  })

  test('B-13 a mark that Redis lost is made again before the next cycle', async () => {
    const { pool, manager, master } = await newPool(form)
    const cycle = double(master, 'doCycle').mockResolvedValue(undefined)
    const running = master.run()
    await vi.waitFor(() => expect(pool.clock.pending).toBe(1), { timeout: 30_000 })
    await server().empty()
    await pool.clock.advance(10_000)
    await vi.waitFor(() => expect(cycle).toHaveBeenCalledTimes(1), { timeout: 30_000 })
    expect(await manager.serverStart()).toBe('10')
    await master.terminate()
    await running
  })

  test('B-13 a mark that could not be made at the start is made before the first cycle, over that of an earlier master', async () => {
    const { pool, manager, master } = await newPool(form)
    await pool.serverStartedAt(3)
    const cycle = double(master, 'doCycle').mockResolvedValue(undefined)
    double(manager, 'markServerStart').mockRejectedValueOnce(new Error('Redis is away'))
    pool.at(20)
    const running = master.run()
    await vi.waitFor(() => expect(pool.clock.pending).toBe(1), { timeout: 30_000 })
    expect(await manager.serverStart()).toBe('3')
    await pool.clock.advance(10_000)
    await vi.waitFor(() => expect(cycle).toHaveBeenCalledTimes(1), { timeout: 30_000 })
    expect(await manager.serverStart()).toBe('30')
    await master.terminate()
    await running
  })

  test('B-14 its end is the end of spawner and checker, and of the sleep between cycles', async () => {
    const { pool, spawner, checker, master } = await newPool(form)
    expect(master.killReceived).toBe(false)
    const running = master.run()
    await vi.waitFor(() => expect(pool.clock.pending).toBe(1), { timeout: 30_000 })
    await master.terminate()
    await running
    expect(master.killReceived).toBe(true)
    expect(spawner.terminate).toHaveBeenCalledTimes(1)
    expect(checker.terminate).toHaveBeenCalledTimes(1)
  })

  test('B-15 what a cycle does, in its order', async () => {
    const { master, spawner } = await newPool(form)
    const order: string[] = []
    const steps = [
      'removeOldDirtyVms',
      'checkVmsHealth',
      'startSpawnIfRequired',
      'removeVmWithDeadBuilder',
      'finalizeLongHealthChecks',
      'terminateAgain',
    ] as const
    for (const step of steps) double(master, step).mockImplementation(async () => void order.push(step))
    spawner.recycle.mockImplementation(async () => void order.push('recycle'))
    await master.doCycle()
    expect(order).toEqual([...steps, 'recycle'])
  })

  test('B-15 a step that fails does not keep the others from their work', async () => {
    const { master, spawner } = await newPool(form)
    const dirty = double(master, 'removeOldDirtyVms').mockRejectedValue(new VmError('broken'))
    const check = double(master, 'checkVmsHealth').mockRejectedValue(new VmError('broken'))
    const spawn = double(master, 'startSpawnIfRequired').mockResolvedValue(undefined)
    await master.doCycle()
    for (const step of [dirty, check, spawn, spawner.recycle]) expect(step).toHaveBeenCalledTimes(1)
  })

  test('B-16 each group in its turn', async () => {
    const { master } = await newPool(form)
    const spawn = double(master, 'trySpawnOne').mockResolvedValue(undefined)
    await master.startSpawnIfRequired()
    expect(spawn.mock.calls).toEqual([[0], [1]])
  })

  test.each([
    ['B-17', 11, true],
    ['B-18', 12, false],
  ])('%s with a limit of %d running machines eleven are too many: %s', async (_, maxVmTotal, refused) => {
    const options = vmmOptions([{ ...BASE, maxVmTotal }, ARM])
    const { pool, master, spawner } = await newPool(form, { six: false, options })
    const random = new SeededRandom(17)
    const states: readonly VmState[] = ['got_ip', 'ready', 'in_use', 'check_health', 'check_health_failed']
    for (let machines = 0; machines <= 11; machines += 1) {
      if (machines > 0) await pool.addVm(`vm${machines}`, 0, { state: states[integerBetween(random, 0, 4)]! })
      spawner.getProcNumPerGroup.mockImplementation((group) => (group === 0 ? 11 - machines : 100))
      expect(await isRefused(master.checkTotalRunningLimit(0))).toBe(refused)
    }
  })

  test('B-17 a terminating machine does not count, and the refusal has the numbers in it', async () => {
    const { pool, master } = await newPool(form, { six: false })
    for (let index = 0; index < 5; index += 1) await pool.addVm(`vm${index}`, 0, { state: 'ready' })
    const refused: unknown = await master.checkTotalRunningLimit(0).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(VmSpawnLimitReached)
    expect((refused as VmSpawnLimitReached).msg).toBe(
      'No machine is spawned for group 0: 5 machines and 0 spawns reach the limit of 5.',
    )
    await pool.set('vm0', { state: 'terminating' })
    await expect(master.checkTotalRunningLimit(0)).resolves.toBeUndefined()
  })

  test.each([
    // last start of group 0 and 1, second → refused for group 0 and 1
    [null, null, 0, false, false],
    [0, null, 0, true, false],
    [0, null, 29, true, false],
    [0, null, 30, false, false],
    [0, null, 31, false, false],
    [0, 31, 31, false, true],
  ])('B-19 spawns started at %s and %s, at %d: refused %s and %s', async (zero, one, second, ...refused) => {
    const { pool, manager, master } = await newPool(form)
    if (zero !== null) await manager.writeVmPoolInfo(0, 'last_vm_spawn_start', zero)
    if (one !== null) await manager.writeVmPoolInfo(1, 'last_vm_spawn_start', one)
    pool.at(second)
    const checks = [0, 1].map(async (group) => await master.checkElapsedTimeAfterSpawn(group))
    expect(await Promise.all(checks.map(isRefused))).toEqual(refused)
  })

  test('B-20 spawns under way', async () => {
    const { master, spawner } = await newPool(form)
    const refused: number[] = []
    for (const spawning of [0, 1, 2, 3, 4, 5, 8, 103]) {
      spawner.getProcNumPerGroup.mockReturnValue(spawning)
      if (await isRefused(master.checkNumberOfSpawnProcesses(0))) refused.push(spawning)
    }
    expect(refused).toEqual([3, 4, 5, 8, 103])
  })

  test('B-21 the fail-safe counts machines in any state', async () => {
    const { pool, master } = await newPool(form, { six: false })
    const refused: number[] = []
    for (let machines = 0; machines < 20; machines += 1) {
      if (machines > 0) await pool.addVm(`vm${machines}`, 0, { state: machines % 2 === 0 ? 'terminating' : 'ready' })
      if (await isRefused(master.checkTotalVmLimit(0))) refused.push(machines)
    }
    expect(refused).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
  })

  test('B-22 a spawn that cannot be started waits for its turn like any other', async () => {
    const { manager, master, spawner } = await newPool(form)
    spawner.startSpawn.mockRejectedValue(new Error('EIO: i/o error'))
    await master.trySpawnOne(0)
    expect(spawner.startSpawn.mock.calls).toEqual([[0]])
    expect(await manager.readVmPoolInfo(0, 'last_vm_spawn_start')).toBe('0')
  })

  const CHECKS = [
    'checkTotalRunningLimit',
    'checkElapsedTimeAfterSpawn',
    'checkNumberOfSpawnProcesses',
    'checkTotalVmLimit',
  ] as const

  test.each([...CHECKS, 'none'] as const)('B-23 the check that refuses: %s', async (failing) => {
    const { manager, master, spawner } = await newPool(form)
    const order: string[] = []
    for (const check of CHECKS) {
      double(master, check).mockImplementation(async () => {
        order.push(check)
        if (check === failing) throw new VmSpawnLimitReached('full')
      })
    }
    const write = double(manager, 'writeVmPoolInfo').mockResolvedValue(undefined)
    await master.trySpawnOne(0)
    const spawns = failing === 'none' ? 1 : 0
    expect(write).toHaveBeenCalledTimes(spawns)
    expect(spawner.startSpawn).toHaveBeenCalledTimes(spawns)
    expect(order).toEqual(failing === 'none' ? CHECKS : CHECKS.slice(0, CHECKS.indexOf(failing) + 1))
  })

  test.each([
    ['in_use', 'in_use'],
    ['got_ip', 'check_health'],
    ['check_health_failed', 'check_health'],
    ['ready', 'check_health'],
  ])('B-24 a check of a machine that is %s leaves it %s', async (before, after) => {
    const { pool, master, checker } = await newPool(form, { six: false })
    await pool.addVm('vm', 0, { state: before })
    pool.at(7)
    expect(await master.startVmCheck('vm')).toBe(true)
    expect(checker.runCheckHealth.mock.calls).toEqual([['vm', '127.0.0.1']])
    expect(await pool.fields('vm')).toMatchObject({ state: after, last_health_check: '7' })
  })

  test.each(['terminating', 'check_health'])('B-25 a machine that is %s is not checked', async (state) => {
    const { pool, master, checker } = await newPool(form, { six: false })
    await pool.addVm('vm', 0, { state })
    const before = await pool.fields('vm')
    expect(await master.startVmCheck('vm')).toBe(false)
    expect(checker.runCheckHealth).not.toHaveBeenCalled()
    expect(await pool.fields('vm')).toEqual(before)
  })

  test.each(['got_ip', 'check_health_failed', 'ready', 'in_use'])(
    'B-26 a check that cannot be launched leaves a machine that is %s as it was',
    async (state) => {
      for (const checked of [{}, { last_health_check: '3.5' }]) {
        const { pool, master, checker } = await newPool(form, { six: false })
        checker.runCheckHealth.mockRejectedValue(new Error('no more processes'))
        await server().empty()
        await pool.addVm('vm', 0, { state, ...checked })
        const before = await pool.fields('vm')
        pool.at(100)
        expect(await master.startVmCheck('vm')).toBe(false)
        expect(checker.runCheckHealth).toHaveBeenCalledTimes(1)
        expect(await pool.fields('vm')).toEqual(before)
      }
    },
  )

  test('B-26 and does not take back what happened to the machine meanwhile', async () => {
    const { pool, manager, master, checker } = await newPool(form, { six: false })
    await pool.addVm('vm', 0, { state: 'ready' })
    checker.runCheckHealth.mockImplementation(async () => {
      await manager.startVmTermination('vm')
      throw new Error('no more processes')
    })
    await master.startVmCheck('vm')
    expect(await pool.get('vm', 'state')).toBe('terminating')
  })
})
