import { describe, expect, test, vi } from 'vitest'

import { TaskGroup } from '../../packages/mainstay/src/core/task-group.ts'
import {
  HealthChecker,
  NoVmAvailable,
  Spawner,
  Terminator,
  VmmRunner,
  type BusMessage,
  type RunVmmHook,
} from '../../packages/mainstay/src/pool/vmm/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { LEFT, LEFT_AT_S, leaveReferencePool } from './support/reference-pool.ts'
import { ARM, BASE, PoolFixture, vmmOptions } from './support/vmm-pool.ts'

const server = usePrivateRedis()

const NOW_S = LEFT_AT_S
const EXISTING = '/bin/true'

/** A whole pool on what the reference left. Nothing real is spawned, checked or ended: that is written down. */
async function takeOver() {
  const group = { ...BASE, spawnPlaybook: EXISTING, terminatePlaybook: EXISTING, maxVmTotal: 50 }
  const pool = new PoolFixture(server(), vmmOptions([{ ...group, vmHealthCheckPeriod: 60 }, ARM]))
  pool.at(NOW_S - pool.options.vmCycleTimeout)
  await leaveReferencePool(server(), pool)
  const asked = { checked: [] as string[], ended: [] as string[], spawned: 0 }
  const runHook: RunVmmHook = async (_command, { what, env, signal }) => {
    if (what === 'spawn') asked.spawned += 1
    else asked.ended.push(env['MAINSTAY_VM_NAME']!)
    return await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
  }
  const tasks = new TaskGroup(pool.dependencies)
  type Tell = (message: BusMessage) => Promise<void>
  const runner = new VmmRunner(
    pool.options,
    { ...pool.dependencies, tasks },
    {
      spawner: (options, deps, publish) => new Spawner(options, { ...deps, publish, runHook }),
      terminator: (options, deps, publish) => new Terminator(options, { ...deps, publish, runHook }),
      checker: (options, deps, publish: Tell) => {
        const checker = new HealthChecker(options, { ...deps, publish })
        checker.runCheckHealth = async (name) => void asked.checked.push(name)
        return checker
      },
    },
  )
  await runner.run()
  // The recycler and the master sleep: the start of the master is marked.
  await vi.waitFor(() => expect(pool.clock.pending).toBe(2), { timeout: 30_000 })
  return { pool, runner, asked }
}

describe('a pool that the reference left (vm-pool.md C18)', () => {
  test('C18 is taken over with its running uses untouched, and handled by the rules of part A', async () => {
    const { pool, runner, asked } = await takeOver()
    const use = { groups: [0], owner: 'bob', sandbox: 'bob--project', worker: 'w' }
    await expect(pool.manager.acquireVm(use)).rejects.toThrow(NoVmAvailable)

    await pool.clock.advance(pool.options.vmCycleTimeout * 1000)
    // The last step of the cycle has been heard.
    await vi.waitFor(() => expect(asked.ended).toHaveLength(3), { timeout: 30_000 })

    const now = String(NOW_S)
    const expected: Record<string, Record<string, string> | null> = {
      ...LEFT,
      'got-ip': { ...LEFT['got-ip'], state: 'check_health', last_health_check: now },
      'checking-lost': { ...LEFT['checking-lost'], state: 'check_health_failed' },
      'checking-untimed': { ...LEFT['checking-untimed'], state: 'check_health_failed' },
      failed: { ...LEFT['failed'], state: 'check_health', last_health_check: now },
      'ready-due': { ...LEFT['ready-due'], state: 'check_health', last_health_check: now },
      'ready-dirty': { ...LEFT['ready-dirty'], state: 'terminating', terminating_since: now },
      'ending-late': { ...LEFT['ending-late'], terminating_since: now },
      'ending-untimed': { ...LEFT['ending-untimed'], state: 'terminating', terminating_since: now },
      'ending-replaced': null,
    }
    const left = Object.fromEntries((await pool.manager.getAllVm()).map((vm) => [vm.vmName, vm.toDict()]))
    for (const [name, fields] of Object.entries(expected)) {
      expect(left[name] ?? null).toEqual(fields === null ? null : { vm_name: name, group: '0', ...fields })
    }
    expect(asked.checked.sort()).toEqual(['failed', 'got-ip', 'ready-due'])
    expect(asked.ended.sort()).toEqual(['ending-late', 'ending-untimed', 'ready-dirty'])
    await runner.terminate()
  })

  test('C18 workers of the reference give their machines back, under both names of their field', async () => {
    const { pool, runner } = await takeOver()
    for (const name of ['working', 'working-older']) expect(await pool.manager.releaseVm(name)).toBe(true)
    const released = {
      group: '0',
      state: 'ready',
      bound_to_user: 'foo',
      last_health_check: '1699999985.0',
      last_release: '1699999990',
      builds_count: '1',
    }
    expect(await pool.fields('working')).toEqual({
      ...released,
      vm_name: 'working',
      vm_ip: '10.0.0.9',
      sandbox: 'foo--project',
      check_fails: '0',
      region: 'us-east-1',
    })
    expect(await pool.fields('working-older')).toEqual({
      ...released,
      vm_name: 'working-older',
      vm_ip: '10.0.0.10',
      sandbox: 'foo--other',
    })
    await runner.terminate()
  })

  test('C18 a restarted scheduler finds its task and goes on with it', async () => {
    const { pool, runner } = await takeOver()
    const found = await pool.manager.getVmByTaskId('42-fedora')
    expect(found?.vmName).toBe('working')
    expect(await pool.manager.reattachWorker('working', { taskId: '42-fedora', worker: 'worker:43' })).toBe(true)
    expect(await pool.fields('working')).toEqual({
      vm_name: 'working',
      group: '0',
      ...LEFT['working'],
      used_by_worker: 'worker:43',
    })
    await runner.terminate()
  })
})
