import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { openRedisPool } from '../../packages/mainstay/src/pool/redis/store.ts'
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

  test('C18 adopts them, tells what it leaves, and may be repeated', async () => {
    const pool = await left()
    await pool.delete('failed', 'vm_ip')
    const first = await adopt()
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(/^Left failed as it is: .+$/m)
    expect(first.stdout).toContain(`Adopted ${MACHINES - 1} machines.\n`)
    const { connection } = server()
    await using store = await openRedisPool({
      connection,
      clock: new SystemClock(),
      logger: silentLogger(),
      prefix: PREFIX,
    })
    expect(await store.get('working')).toMatchObject({ state: 'in_use', worker: 'worker:42', boundToUser: 'foo' })
    expect(await store.verify()).toEqual([])
    expect((await adopt('--dry-run')).stdout).toContain(
      `Would adopt 0 machines; ${MACHINES - 1} are adopted already.\n`,
    )
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
