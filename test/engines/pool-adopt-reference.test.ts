import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'
import { runCommand } from '../../packages/mainstay/src/cli/testing/run-command.ts'
import { adoptReference } from '../../packages/mainstay/src/server/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { LEFT, LEFT_AT_S, leaveReferencePool } from './support/reference-pool.ts'
import { PoolFixture } from './support/vmm-pool.ts'

const server = usePrivateRedis()

const PREFIX = 'copr:backend:'
const MACHINES = Object.keys(LEFT).length

/** What the reference left in its group 0. */
async function left(): Promise<PoolFixture> {
  const pool = new PoolFixture(server())
  pool.at(LEFT_AT_S)
  await leaveReferencePool(server(), pool)
  return pool
}

async function nativeStore(): Promise<PoolStore> {
  const { connection } = server()
  return await openRedisPool({ connection, clock: new SystemClock(), logger: silentLogger(), prefix: PREFIX })
}

async function adopt(...more: readonly string[]) {
  const set = [
    `pool.redis_url=redis://127.0.0.1:${server().port}`,
    `pool.redis_prefix=${PREFIX}`,
    'pool.installation=test',
    'pool.groups=[{ id = "0", max_total = 50 }, { id = "1" }]',
    'pool.providers=[{ name = "sim", driver = "simulated" }]',
  ]
  const flags = set.flatMap((option) => ['--set', option])
  return await runCommand(['pool', 'adopt-reference', ...flags, ...more], { server: { adoptReference } })
}

describe('mainstay pool adopt-reference (vm-pool.md C18)', () => {
  test('C18 a dry run says of each machine what would be done, and changes nothing', async () => {
    await left()
    const before = await server().dump()
    const { code, stdout, stderr } = await adopt('--dry-run')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('Would adopt got-ip (group 0, got_ip)\n')
    expect(stdout).toContain('Would adopt working (group 0, in_use by worker:42, bound to foo)\n')
    expect(stdout).toContain(`Would adopt ${MACHINES} machines.\n`)
    expect(await server().dump()).toEqual(before)
  })

  test('C18 adopts them, and may be repeated', async () => {
    await left()
    expect(await adopt()).toMatchObject({ code: 0, stderr: '' })
    await using store = await nativeStore()
    expect(await store.get('working')).toMatchObject({ state: 'in_use', worker: 'worker:42', boundToUser: 'foo' })
    expect(await store.verify()).toEqual([])
    expect((await adopt('--dry-run')).stdout).toContain(`Would adopt 0 machines; ${MACHINES} are adopted already.\n`)
  })

  test('C18 refuses what is damaged by name and field, adopts the others, and says so by its exit code', async () => {
    const pool = await left()
    await pool.delete('failed', 'vm_ip')
    await pool.set('ready', { vm_ip: 'builder-6.example.com' })
    await pool.set('ready-due', { check_fails: 'many' })
    await pool.set('got-ip', { state: 'dreaming' })
    const damaged = ['failed', 'got-ip', 'ready', 'ready-due']
    const before = await Promise.all(damaged.map(async (name) => await pool.fields(name)))
    const planned = await adopt('--dry-run')
    expect(planned).toMatchObject({ code: 3 })
    expect(planned.stdout).toContain(`Would adopt ${MACHINES - 4} machines; would refuse 4.\n`)

    const { code, stdout, stderr } = await adopt()
    expect(code).toBe(3)
    expect(stdout).toMatch(/^Refused failed: .*lacks vm_ip.*$/m)
    expect(stdout).toContain(
      'Refused ready: its field vm_ip is "builder-6.example.com", which is no address of IPv4 or IPv6\n',
    )
    expect(stdout).toContain('Refused ready-due: its field check_fails is "many", which is no whole number\n')
    expect(stdout).toContain('Refused got-ip: its field state is "dreaming", which is an unknown state\n')
    expect(stdout).toContain(`Adopted ${MACHINES - 4} machines; refused 4.\n`)
    expect(stderr).toContain('The records of 4 machines (failed, got-ip, ready, …) were refused and left as found.')
    expect(await Promise.all(damaged.map(async (name) => await pool.fields(name)))).toEqual(before)
  })

  test('C18 what was refused is nobody’s: not handed out, not looked at, not cleaned away, until it is mended', async () => {
    const pool = await left()
    await pool.set('ready', { vm_ip: 'nowhere' })
    await pool.delete('failed', 'vm_ip')
    const before = await pool.fields('ready')
    await adopt()
    await using store = await nativeStore()
    const names = async (): Promise<string[]> => (await store.list({ limit: 100 })).vms.map(({ name }) => name)
    expect(await names()).not.toContain('ready')
    expect(await names()).not.toContain('failed')
    expect([await store.get('ready'), await store.byIp('nowhere')]).toEqual([null, []])
    const now = new SystemClock().now()
    const due = await store.due({ now: now + 1e9, limit: 100 })
    expect(due.vms.map(({ vm }) => vm.name)).not.toContain('ready')
    await expect(store.recheck({ names: ['ready'], now })).resolves.toMatchObject({ refused: [{ name: 'ready' }] })
    // The reconciler tells of it for as long as it is so, and never drops it.
    for (const at of [now, now + 1e9]) {
      const partial = await store.partialRecords({ now: at })
      expect(partial.map(({ name, missing }) => [name, missing])).toEqual([
        ['failed', ['adoption']],
        ['ready', ['adoption']],
      ])
      await store.repair({ names: ['failed', 'ready'], graceMs: 1, now: at })
      await store.reindex({ now: at, fence: null })
    }
    expect(await pool.fields('ready')).toEqual(before)
    expect(await store.verify()).toEqual([])
    await expect(store.addVm({ name: 'ready', group: '0', ip: '10.0.0.99', now, fence: null })).rejects.toMatchObject({
      code: 'MS_POOL_VM_EXISTS',
    })

    await pool.set('ready', { vm_ip: '10.0.0.6' })
    await pool.set('failed', { vm_ip: '10.0.0.5' })
    const mended = await adopt()
    expect(mended).toMatchObject({ code: 0, stderr: '' })
    expect(mended.stdout).toContain(`Adopted 2 machines; ${MACHINES - 2} are adopted already.\n`)
    expect(await names()).toEqual(expect.arrayContaining(['ready', 'failed']))
    expect(await store.partialRecords({ now })).toEqual([])
    expect(await store.verify()).toEqual([])
  })

  test('C18 refuses a name that two groups have, and a group that is written in another way than it is found', async () => {
    const pool = await left()
    await server().connection.ask(['SADD', pool.keys.pool(1), 'ready'])
    await pool.set('got-ip', { group: '00' })
    const before = await pool.fields('ready')
    const { code, stdout } = await adopt()
    expect(code).toBe(3)
    expect(stdout).toContain(
      'Refused ready: its name is in the lists of the groups 0 and 1, and a machine is of one group\n',
    )
    expect(stdout).toContain(
      'Refused got-ip: its field group is "00", which is not how the number of a group is written\n',
    )
    expect(await pool.fields('ready')).toEqual(before)
    await using store = await nativeStore()
    expect([await store.get('ready'), await store.get('got-ip')]).toEqual([null, null])
    expect(await store.verify()).toEqual([])
  })

  test.each([
    [{ vm_ip: 'builder.example.com' }, 'its field vm_ip is "builder.example.com", which is no address of IPv4 or IPv6'],
    [{ check_fails: 'many' }, 'its field check_fails is "many", which is no whole number'],
    [{ state_since: 'x' }, 'its field state_since is "x", which is no whole number'],
  ])('C18 names a record that was adopted with %j, and leaves the machine in the pool', async (fields, why) => {
    const pool = await left()
    await adopt()
    await pool.set('working', fields)
    const before = await pool.fields('working')
    for (const more of [['--dry-run'], []]) {
      const { code, stdout } = await adopt(...more)
      expect(code).toBe(3)
      expect(stdout).toContain(`efuse${more.length === 0 ? 'd' : ''} working: it is in the pool already, and ${why}\n`)
    }
    expect(await pool.fields('working')).toEqual(before)
    await using store = await nativeStore()
    expect(await store.get('working')).toMatchObject({ state: 'in_use', worker: 'worker:42' })
    await pool.set('working', LEFT['working']!)
    await pool.set('working', { check_fails: '0', state_since: '1699990000750' })
    expect(await adopt()).toMatchObject({ code: 0, stderr: '' })
  })

  test('C18 finds nothing wrong with what the native pool makes of adopted machines', async () => {
    await left()
    await adopt()
    await using store = await nativeStore()
    const now = new SystemClock().now()
    await store.addVm({ name: 'fresh', group: '1', ip: '2001:db8::9', now, fence: null })
    await store.startChecks({ checks: [{ name: 'fresh', nextCheckAt: now }], now, fence: null })
    await store.checkPassed({ name: 'fresh', startedAt: now, now })
    await store.hold({ name: 'fresh', until: now + 60_000, reason: 'a look', by: 'me', now })
    expect(await adopt()).toMatchObject({ code: 0, stderr: '' })
  })

  test('C18 forgets no group, and touches nothing while the old master is at work', async () => {
    const pool = await left()
    await server().connection.ask(['SADD', pool.keys.pool(7), 'builder-7'])
    const stop = new AbortController()
    await pool.dependencies.redis.subscribe(pool.keys.bus, { signal: stop.signal })
    const before = await server().dump()
    const refused = await adopt()
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('The group 7 of the old pool has machines, and pool.groups has no id "7": add it.')
    expect(refused.stderr).toContain('1 program listens on copr:backend:vm:pubsub::')
    expect((await adopt('--dry-run')).stdout).toContain('Before that: The group 7 of the old pool')
    expect(await server().dump()).toEqual(before)
    stop.abort(new Error('the test is over'))
  })

  test.each([
    ['pool.compat=vmm', 'there is nothing to adopt'],
    ['pool.redis_url=', 'give pool.redis_url'],
    ['pool.groups=[{ id = "linux" }]', 'give them the ids "0", "1"'],
    ['pool.groups=[{ id = "0", min_ready = 9 }]', 'min_ready 9 is more than max_total 8'],
  ])('C18 says what is wrong with %s', async (option, complaint) => {
    const { code, stderr } = await adopt('--set', option)
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(complaint)])
  })
})
