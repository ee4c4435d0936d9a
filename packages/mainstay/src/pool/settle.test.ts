import { describe, expect, test } from 'vitest'

import { newDescriptor, type VmDescriptor } from './descriptor.ts'
import { groupRules, type GroupRules } from './options.ts'
import { settle } from './settle.ts'

const NOW = 1000
const used = { boundToUser: 'bob', lastRelease: 900, checkPassedAt: 500, uses: 1 }

describe('where a machine comes to rest (vm-pool.md A4, C12, C17)', () => {
  test.each<readonly [string, Partial<VmDescriptor>, Partial<GroupRules>, string]>([
    ['after its first check', { checkPassedAt: 900 }, {}, 'ready'],
    ['never checked', {}, {}, 'got_ip'],
    ['after a use', used, {}, 'ready'],
    ['after a use in which a check failed', { ...used, checkFails: 1 }, {}, 'check_health_failed'],
    ['after its only use', used, { dirtyPolicy: 'discard' }, 'terminating'],
    ['after a use, to be reset', used, { dirtyPolicy: 'reset' }, 'resetting'],
    ['clean, where dirty ones are thrown away', { checkPassedAt: 900 }, { dirtyPolicy: 'discard' }, 'ready'],
    ['drained', { ...used, drain: 'terminate' }, {}, 'terminating'],
    ['drained and kept', { ...used, drain: 'keep' }, { dirtyPolicy: 'discard' }, 'drained'],
    ['of a drained group', used, { draining: 'terminate' }, 'terminating'],
    ['drained by itself, not as its group', { ...used, drain: 'keep' }, { draining: 'terminate' }, 'drained'],
    ['held', { ...used, holdUntil: NOW + 1, drain: 'terminate' }, { dirtyPolicy: 'discard' }, 'held'],
    ['its hold over', { ...used, holdUntil: NOW }, {}, 'ready'],
  ])('%s', (_name, fields, rules, expected) => {
    const vm = newDescriptor({ name: 'n', group: 'g', state: 'in_use', createdAt: 0, ...fields })
    expect(settle(vm, groupRules({ id: 'g', ...rules }), NOW).state).toBe(expected)
  })
})
