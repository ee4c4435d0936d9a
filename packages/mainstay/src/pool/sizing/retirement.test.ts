import { describe, expect, test } from 'vitest'

import { newDescriptor, type VmDescriptor } from '../descriptor.ts'
import { groupRules, type GroupRules } from '../options.ts'
import { retirement } from './retirement.ts'

const vm = (fields: Partial<VmDescriptor>): VmDescriptor =>
  newDescriptor({ name: 'vm', group: 'g', state: 'ready', createdAt: 1000, ...fields })
const rules = (fields: Partial<GroupRules>): GroupRules => groupRules({ id: 'g', ...fields })

describe('C8 when a machine has served its time', () => {
  test.each<[string, Partial<GroupRules>, Partial<VmDescriptor>, number, string | null]>([
    ['one below its uses', { maxUses: 3 }, { uses: 2 }, 9999, null],
    ['its uses', { maxUses: 3 }, { uses: 3 }, 1000, 'uses'],
    ['a moment before its age', { maxAgeMs: 500 }, {}, 1499, null],
    ['its age', { maxAgeMs: 500 }, { state: 'in_use' }, 1500, 'age'],
    ['ready for too long', { maxReadyAgeMs: 500 }, {}, 1500, 'ready_age'],
    ['ready since its last release', { maxReadyAgeMs: 500 }, { lastRelease: 1400 }, 1500, null],
    ['in use, so not idle', { maxReadyAgeMs: 500 }, { state: 'in_use' }, 1500, null],
    ['bound for too long', { maxTimeInSandboxMs: 500 }, { boundToUser: 'u', boundSince: 1200 }, 1700, 'sandbox_time'],
    ['bound, so not idle for all', { maxReadyAgeMs: 500 }, { boundToUser: 'u', boundSince: 1200 }, 1700, null],
    ['no limit at all', {}, { uses: 1000 }, 1e12, null],
  ])('C8 %s', (_what, limits, fields, now, expected) => {
    expect(retirement(vm(fields), rules(limits), now)).toBe(expected)
  })
})
