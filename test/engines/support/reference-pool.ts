import type { PrivateRedis } from './private-redis.ts'
import type { PoolFixture } from './vmm-pool.ts'

/** When it left. */
export const LEFT_AT_S = 1_700_000_000
/** How the reference left its pool: one machine in each state and form, as texts that its own programs wrote. */
export const LEFT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'got-ip': { vm_ip: '10.0.0.1', state: 'got_ip' },
  checking: { vm_ip: '10.0.0.2', state: 'check_health', last_health_check: '1699999995.5' },
  'checking-lost': { vm_ip: '10.0.0.3', state: 'check_health', last_health_check: '1699999000.123456' },
  'checking-untimed': { vm_ip: '10.0.0.4', state: 'check_health' },
  failed: { vm_ip: '10.0.0.5', state: 'check_health_failed', check_fails: '1', last_health_check: '1699999900.0' },
  ready: { vm_ip: '10.0.0.6', state: 'ready', check_fails: '0', last_health_check: '1699999985.0' },
  'ready-due': { vm_ip: '10.0.0.7', state: 'ready', check_fails: '0', last_health_check: '1699999900.0' },
  'ready-dirty': {
    vm_ip: '10.0.0.8',
    state: 'ready',
    bound_to_user: 'bob',
    sandbox: 'bob--project',
    builds_count: '3',
    last_release: '1699999000.25',
    last_health_check: '1699999985.0',
  },
  working: {
    vm_ip: '10.0.0.9',
    state: 'in_use',
    bound_to_user: 'foo',
    sandbox: 'foo--project',
    used_by_worker: 'worker:42',
    in_use_since: '1699990000.75',
    task_id: '42-fedora',
    build_id: '42',
    chroot: 'fedora-rawhide-x86_64',
    last_health_check: '1699999985.0',
    check_fails: '0',
    region: 'us-east-1',
  },
  'working-older': {
    vm_ip: '10.0.0.10',
    state: 'in_use',
    bound_to_user: 'foo',
    sandbox: 'foo--other',
    used_by_pid: '4711',
    in_use_since: '1699990000.75',
    task_id: 'None',
    build_id: 'None',
    chroot: 'None',
    last_health_check: '1699999985.0',
  },
  ending: { vm_ip: '10.0.0.11', state: 'terminating', terminating_since: '1699999990.0' },
  'ending-late': { vm_ip: '10.0.0.12', state: 'terminating', terminating_since: '1699990000.0' },
  'ending-untimed': { vm_ip: '10.0.0.13', state: 'terminating' },
  'ending-replaced': { vm_ip: '10.0.0.6', state: 'terminating', terminating_since: '1699990000.0' },
}

/** Writes it as the reference did. */
export async function leaveReferencePool(server: PrivateRedis, pool: PoolFixture): Promise<void> {
  const redis = server.connection
  for (const [name, fields] of Object.entries(LEFT)) {
    await redis.ask(['SADD', 'copr:backend:vm_pool:set::0', name])
    const all = { vm_name: name, group: '0', ...fields }
    await redis.ask(['HSET', `copr:backend:vm_instance:hset::${name}`, ...Object.entries(all).flat()])
  }
  await pool.redis.hSet(pool.keys.serverInfo, { server_start_timestamp: '1699000000.5' })
  await pool.redis.hSet(pool.keys.poolInfo(0), { last_vm_spawn_start: '1699999999.0' })
}
