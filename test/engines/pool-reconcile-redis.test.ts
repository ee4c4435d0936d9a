import { expect, onTestFinished, test } from 'vitest'

import { ManualClock } from '../../packages/mainstay/src/core/clock.ts'
import { groupRules, poolRules } from '../../packages/mainstay/src/pool/options.ts'
import { SimulatedCloud, SimulatedProvider } from '../../packages/mainstay/src/pool/provider/simulated/index.ts'
import { reconcile } from '../../packages/mainstay/src/pool/reconcile/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { redisPool } from './support/redis-pool.ts'

const redis = usePrivateRedis()

const PREFIX = 'pool:'
const GRACE_MS = 600_000
const KEY = (name: string): string => `${PREFIX}vm_instance:hset::${name}`
const SET = `${PREFIX}vm_pool:set::g`

test('C19 records that lost a part are told of, then mended or removed; no machine is lost or taken for a leak meanwhile', async () => {
  const { connection, port } = redis()
  const clock = new ManualClock()
  const store = await redisPool(port, PREFIX)
  onTestFinished(async () => await store[Symbol.asyncDispose]())
  await store.configure({ pool: poolRules(), groups: [groupRules({ id: 'g', maxTotal: 0 })] }, { fence: null })
  // It answers at once: the clock is moved by the test alone.
  const cloud = new SimulatedCloud({ clock, latency: { destroyMs: 0 } })
  const provider = new SimulatedProvider({ name: 'sim', installation: 'ours', cloud })
  for (const name of ['well', 'no-group', 'no-address', 'no-set', 'no-hash']) {
    const tags = { installation: 'ours', pool: 'g', vmName: name, createdAt: clock.now() }
    const { id: providerId, address: ip } = cloud.add({ name, tags })
    await store.addVm({ name, group: 'g', ip, provider: 'sim', providerId, now: clock.now(), fence: null })
  }
  await connection.ask(['HDEL', KEY('no-group'), 'group'])
  await connection.ask(['HDEL', KEY('no-address'), 'vm_ip'])
  await connection.ask(['SREM', SET, 'no-set'])
  await connection.ask(['DEL', KEY('no-hash')])
  await clock.advance(10 * GRACE_MS)
  const pass = async () => {
    return await reconcile(
      { store, clock, providers: [provider] },
      { signal: AbortSignal.timeout(60_000), fence: null },
    )
  }

  const missing = { 'no-address': ['vm_ip'], 'no-group': ['group'], 'no-hash': ['hash'], 'no-set': ['set entry'] }
  const first = await pass()
  const told = first.decisions.map((each) =>
    each.decide === 'report_record' ? [each.vm, each.missing] : [each.decide],
  )
  expect(Object.fromEntries(told)).toEqual(missing)
  expect(first.carriedOut).toEqual([])
  expect(cloud.machines()).toHaveLength(5)

  await clock.advance(GRACE_MS)
  expect((await pass()).carriedOut).toEqual([])

  await clock.advance(1)
  const last = await pass()
  expect(new Set(last.carriedOut.map(({ decision }) => ('vm' in decision ? decision.vm : '')))).toEqual(
    new Set(Object.keys(missing)),
  )
  expect(last.carriedOut.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done', 'done'])
  const { vms } = await store.list({ limit: 10 })
  expect(vms.map(({ name, group }) => `${name} in ${group}`).sort()).toEqual([
    'no-group in g',
    'no-set in g',
    'well in g',
  ])

  // What could not be mended is unknown now, so its machine is a leak.
  const after = await pass()
  const leaks = after.carriedOut.flatMap(({ decision }) => ('machine' in decision ? [decision.machine.name] : []))
  expect(leaks.sort()).toEqual(['no-address', 'no-hash'])
  expect(cloud.machines().map(({ name }) => name)).toEqual(['well', 'no-group', 'no-set'])
})
