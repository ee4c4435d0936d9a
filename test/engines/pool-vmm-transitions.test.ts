import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { SCRIPTS, VM_STATES } from '../../packages/mainstay/src/pool/vmm/index.ts'
import { usePrivateRedis } from './support/private-redis.ts'
import { PoolFixture } from './support/vmm-pool.ts'

const server = usePrivateRedis()

type Hash = Readonly<Record<string, string>>
type Outcome = readonly [result: string | null, after: Hash]

const without = (hash: Hash, ...fields: readonly string[]): Hash =>
  Object.fromEntries(Object.entries(hash).filter(([field]) => !fields.includes(field)))

const USE = ['in_use_since', 'used_by_worker', 'used_by_pid', 'task_id', 'build_id', 'chroot']

/** What table A4 of vm-pool.md says of each script: the old record in, the answer and the new record out. */
const MODEL = {
  setCheckingState: (vm: Hash, now: string): Outcome => {
    if (!['got_ip', 'ready', 'in_use', 'check_health_failed'].includes(vm['state'] ?? '')) return [null, vm]
    const state = vm['state'] === 'in_use' ? 'in_use' : 'check_health'
    return ['OK', { ...vm, state, last_health_check: now }]
  },
  acquireVm: (vm: Hash, now: string): Outcome => {
    const checked = Number(vm['last_health_check'] ?? Number.NaN)
    const bound = vm['bound_to_user'] !== undefined && (vm['bound_to_user'] !== 'bob' || vm['sandbox'] !== 'S')
    if (vm['state'] !== 'ready' || !(checked > SERVER_START) || bound) return [null, vm]
    const use = { used_by_worker: 'w', in_use_since: now, task_id: 't', build_id: 'b', chroot: 'c' }
    return ['OK', { ...without(vm, ...USE), ...use, state: 'in_use', bound_to_user: 'bob', sandbox: 'S' }]
  },
  releaseVm: (vm: Hash, now: string): Outcome => {
    if (vm['state'] !== 'in_use') return [null, vm]
    const state = Number(vm['check_fails'] ?? 0) > 0 ? 'check_health_failed' : 'ready'
    const uses = { last_release: now, builds_count: String(Number(vm['builds_count'] ?? 0) + 1) }
    return ['OK', { ...without(vm, ...USE), ...uses, state }]
  },
  markVmCheckFailed: (vm: Hash): Outcome =>
    vm['state'] === 'check_health' ? ['OK', { ...vm, state: 'check_health_failed' }] : [null, vm],
  onHealthCheckSuccess: (vm: Hash): Outcome => {
    if (!['check_health', 'in_use'].includes(vm['state'] ?? '')) return [null, vm]
    return [null, { ...vm, check_fails: '0', state: vm['state'] === 'in_use' ? 'in_use' : 'ready' }]
  },
  recordFailure: (vm: Hash): Outcome => {
    if (!['check_health', 'in_use', 'check_health_failed'].includes(vm['state'] ?? '')) return [null, vm]
    const check_fails = String(Number(vm['check_fails'] ?? 0) + 1)
    const state = vm['state'] === 'in_use' ? 'in_use' : 'check_health_failed'
    return [check_fails, { ...vm, check_fails, state }]
  },
  terminateVm: (vm: Hash, now: string, allowed: string): Outcome => {
    const { state } = vm
    if (state === undefined) return ['no such machine', vm]
    if (allowed !== 'None' && state !== allowed) return [`old state is not the allowed one: ${state}`, vm]
    if (state === 'terminating' && allowed !== 'terminating') return ['already terminating', vm]
    return ['OK', { ...vm, state: 'terminating', terminating_since: now }]
  },
} as const

const SERVER_START = 10

const operation = fc.record({
  name: fc.constantFrom(...(Object.keys(MODEL) as (keyof typeof MODEL)[])),
  now: fc.integer({ min: 0, max: 40 }).map((half) => String(half / 2)),
  allowed: fc.constantFrom('None', ...Object.values(VM_STATES)),
})

/** A record as anybody may have left it; or none. */
const record = fc.oneof(
  { weight: 1, arbitrary: fc.constant({}) },
  {
    weight: 9,
    arbitrary: fc.record(
      {
        vm_name: fc.constant('vm'),
        vm_ip: fc.constant('127.0.0.1'),
        group: fc.constant('0'),
        state: fc.constantFrom(...Object.values(VM_STATES)),
        last_health_check: fc.constantFrom('9.5', '10', '10.5', '11'),
        bound_to_user: fc.constantFrom('bob', 'foo'),
        sandbox: fc.constantFrom('S', 'T'),
        used_by_pid: fc.constant('17'),
        task_id: fc.constant('None'),
        check_fails: fc.constantFrom('0', '1'),
        builds_count: fc.constant('4'),
        colour: fc.constant('red'),
      },
      { requiredKeys: ['vm_name', 'vm_ip', 'group', 'state'] },
    ),
  },
)

test('every script does to any record what table A4 says, and nothing else', async () => {
  const pool = new PoolFixture(server())
  const key = pool.keys.vm('vm')
  const args = {
    setCheckingState: (now: string) => [now],
    acquireVm: (now: string) => ['bob', 'w', now, 't', 'b', 'c', 'S'],
    releaseVm: (now: string) => [now],
    markVmCheckFailed: () => [],
    onHealthCheckSuccess: () => [],
    recordFailure: () => [],
    terminateVm: (now: string, allowed: string) => [allowed, now, '0', pool.keys.bus, '{}', 'interrupt'],
  }
  await fc.assert(
    fc.asyncProperty(record, fc.array(operation, { minLength: 1, maxLength: 12 }), async (start, operations) => {
      await server().empty()
      await pool.serverStartedAt(SERVER_START)
      await pool.set('vm', start)
      let expected: Hash = start
      for (const { name, now, allowed } of operations) {
        const [result, after] = MODEL[name](expected, now, allowed)
        const keys = name === 'acquireVm' ? [key, pool.keys.serverInfo] : [key]
        expect([name, await pool.redis.run(SCRIPTS[name], keys, args[name](now, allowed))]).toEqual([name, result])
        expect(await pool.fields('vm')).toEqual(after)
        expected = after
      }
    }),
    { numRuns: 200 },
  )
})
