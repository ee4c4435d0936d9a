import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { newDescriptor } from '../descriptor.ts'
import { VmDescriptor, type RawDescriptor } from './descriptor.ts'
import { VmDescriptorNotFound } from './errors.ts'
import { VmmKeys } from './keys.ts'
import { nativeRecord } from './native-record.ts'
import { VM_STATES } from './state.ts'

const NOW = 1_700_000_000_000
const keys = new VmmKeys('copr:backend:')

function adopted(fields: RawDescriptor) {
  const vm = VmDescriptor.fromDict({ vm_name: 'vm', vm_ip: '10.0.0.1', group: '2', ...fields }, keys)
  return nativeRecord(vm, { now: NOW })
}

const BASE = { name: 'vm', group: '2', ip: '10.0.0.1', createdAt: NOW, stateSince: NOW } as const

describe('a machine of the reference as the native pool knows it (vm-pool.md C18)', () => {
  test('C18 new, with nothing but the required fields', () => {
    expect(adopted({ state: 'got_ip' })).toEqual(newDescriptor({ ...BASE, state: 'got_ip' }))
  })

  test('C18 in use: its worker, its task and its owner stay, and it has no lease', () => {
    const fields = {
      state: 'in_use',
      bound_to_user: 'foo',
      sandbox: 'foo--project',
      used_by_worker: 'worker:42',
      in_use_since: '1699990000.75',
      task_id: '42-fedora',
      build_id: '42',
      chroot: 'fedora',
      last_health_check: '1699999985.0',
      check_fails: '0',
      builds_count: '3',
      last_release: '1699980000.123',
    }
    expect(adopted(fields)).toEqual(
      newDescriptor({
        ...BASE,
        state: 'in_use',
        stateSince: 1_699_990_000_750,
        createdAt: 1_699_980_000_123,
        boundToUser: 'foo',
        sandbox: 'foo--project',
        boundSince: 1_699_990_000_750,
        worker: 'worker:42',
        inUseSince: 1_699_990_000_750,
        taskId: '42-fedora',
        buildId: '42',
        chroot: 'fedora',
        reattach: true,
        checkStartedAt: 1_699_999_985_000,
        checkPassedAt: 1_699_999_985_000,
        lastRelease: 1_699_980_000_123,
        uses: 3,
      }),
    )
  })

  test('C18 in use under the older name, without a task or a time', () => {
    const fields = { state: 'in_use', used_by_pid: '17', task_id: 'None', build_id: 'None', chroot: 'None' }
    expect(adopted(fields)).toEqual(
      newDescriptor({ ...BASE, state: 'in_use', worker: '17', inUseSince: NOW, reattach: false }),
    )
  })

  test('C18 dirty and idle', () => {
    const fields = {
      state: 'ready',
      bound_to_user: 'bob',
      sandbox: 'S',
      last_release: '1699999000',
      last_health_check: '1',
    }
    expect(adopted(fields)).toMatchObject({
      state: 'ready',
      boundToUser: 'bob',
      sandbox: 'S',
      boundSince: 1_699_999_000_000,
      checkPassedAt: 1000,
      worker: null,
    })
  })

  test.each(['got_ip', 'check_health', 'check_health_failed', 'terminating'])(
    'C18 %s: no check counts as passed',
    (state) => {
      expect(adopted({ state, last_health_check: '1699999000' }).checkPassedAt).toBeNull()
    },
  )

  test('C18 ready after failures: no check counts as passed', () => {
    expect(adopted({ state: 'ready', check_fails: '1', last_health_check: '1' })).toMatchObject({
      checkPassedAt: null,
      checkFails: 1,
    })
  })

  test('C18 terminating, with and without its time', () => {
    const timed = adopted({ state: 'terminating', terminating_since: '1699990000.5' })
    expect(timed).toMatchObject({ terminatingSince: 1_699_990_000_500, stateSince: 1_699_990_000_500 })
    expect(adopted({ state: 'terminating' }).terminatingSince).toBe(NOW)
  })

  test('C18 a state that nobody knows is refused', () => {
    expect(() => adopted({ state: 'dreaming' })).toThrow(VmDescriptorNotFound)
  })

  test('C18 whatever fields are missing, times are whole, nobody clean has a sandbox and nobody idle a worker', () => {
    const time = fc.option(fc.double({ min: 0, max: 2e9, noNaN: true }).map(String), { nil: undefined })
    const text = fc.option(fc.constantFrom('a', 'None', ''), { nil: undefined })
    const fields = fc.record({
      state: fc.constantFrom(...Object.values(VM_STATES)),
      bound_to_user: text,
      sandbox: text,
      used_by_pid: text,
      task_id: text,
      in_use_since: time,
      last_health_check: time,
      last_release: time,
      terminating_since: time,
    })
    fc.assert(
      fc.property(fields, (raw) => {
        const vm = adopted(raw)
        const times = [
          vm.stateSince,
          vm.createdAt,
          vm.inUseSince,
          vm.checkStartedAt,
          vm.lastRelease,
          vm.terminatingSince,
        ]
        expect(times.every((each) => each === null || Number.isSafeInteger(each))).toBe(true)
        expect(vm.createdAt).toBeLessThanOrEqual(NOW)
        expect(vm.boundToUser !== null || vm.sandbox === null).toBe(true)
        const idle = vm.state !== 'in_use'
        expect(idle && (vm.worker !== null || vm.inUseSince !== null || vm.taskId !== null)).toBe(false)
        expect(vm.leaseToken).toBeNull()
      }),
    )
  })
})
