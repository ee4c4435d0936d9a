import { describe, expect, test } from 'vitest'

import { VmDescriptor } from './descriptor.ts'
import { VmDescriptorNotFound } from './errors.ts'
import { VmmKeys } from './keys.ts'

const keys = new VmmKeys('p:')
const REQUIRED = { vm_ip: '10.0.0.1', vm_name: 'vm', group: '0', state: 'ready' }

describe('a descriptor (vm-pool.md A2)', () => {
  test('keeps all fields that are there as texts, also those that are not known', () => {
    const vm = VmDescriptor.fromDict({ ...REQUIRED, group: 0, check_fails: 2, colour: 'red', sandbox: null }, keys)
    expect(vm.toDict()).toEqual({ ...REQUIRED, check_fails: '2', colour: 'red' })
    expect(vm).toMatchObject({ vmKey: 'p:vm_instance:hset::vm', group: 0, checkFails: 2, sandbox: null })
  })

  test.each(['vm_ip', 'vm_name', 'group', 'state'])('is none without %s', (field) => {
    expect(() => VmDescriptor.fromDict({ ...REQUIRED, [field]: null }, keys)).toThrow(VmDescriptorNotFound)
  })

  test.each([
    ['1411390000.123456', 1_411_390_000.123_456],
    ['0', 0],
    ['0.0', 0],
    ['1e9', 1e9],
    ['None', null],
    ['', null],
    ['nan', null],
  ])('reads the time %s as %s', (text, value) => {
    const vm = VmDescriptor.fromDict({ ...REQUIRED, last_health_check: text, last_release: text }, keys)
    expect([vm.lastHealthCheck, vm.lastRelease]).toEqual([value, value])
  })

  test.each([
    [{ used_by_worker: 'w' }, 'w'],
    [{ used_by_pid: '17' }, '17'],
    [{ used_by_worker: 'w', used_by_pid: '17' }, 'w'],
    [{}, null],
  ])('finds its worker in %o', (fields, worker) => {
    expect(VmDescriptor.fromDict({ ...REQUIRED, ...fields }, keys).usedByWorker).toBe(worker)
  })

  test('reads what the reference writes for "not given" as absent', () => {
    const vm = VmDescriptor.fromDict({ ...REQUIRED, task_id: 'None', build_id: 'None', chroot: 'None' }, keys)
    expect([vm.taskId, vm.buildId, vm.chroot]).toEqual([null, null, null])
  })
})
