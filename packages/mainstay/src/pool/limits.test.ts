import { describe, expect, test } from 'vitest'

import { cleanAllowance, groupAllowance, heldAllowance } from './limits.ts'
import { groupRules, poolRules } from './options.ts'

const held = { byUser: 3, bySandbox: 1, byArch: 2 }

describe('limits (vm-pool.md C3)', () => {
  test.each([
    // limits → how many more, and which of them stands in the way
    [{}, null, Infinity, undefined],
    [{ maxHeldPerUser: 4 }, null, 1, 'user_limit'],
    [{ maxHeldPerUser: 3 }, null, 0, 'user_limit'],
    [{ maxHeldPerUser: 2 }, null, 0, 'user_limit'],
    [{ maxHeldPerUser: 9, maxHeldPerSandbox: 2 }, null, 1, 'sandbox_limit'],
    [{ maxHeldPerArch: { arm: 2 } }, 'arm', 0, 'arch_limit'],
    [{ maxHeldPerArch: { arm: 2 } }, 'x86_64', Infinity, undefined],
    [{ maxHeldPerArch: { arm: 2 } }, null, Infinity, undefined],
  ])('%j for %s: %d more', (limits, arch, count, kind) => {
    const allowance = heldAllowance(held, poolRules(limits), arch)
    expect(allowance.count).toBe(count)
    expect(allowance.refusal?.kind).toBe(kind)
  })

  test('an owner is limited in clean machines only: a dirty one is counted already', () => {
    const rules = groupRules({ id: 'g', maxPerUser: 4, maxPerSandbox: 2, maxInUse: 10 })
    const use = { inUse: 8, boundToUser: 4, boundToSandbox: 2 }
    expect(groupAllowance(use, rules).count).toBe(2)
    expect(cleanAllowance(use, rules)).toEqual({
      count: 0,
      refusal: { kind: 'user_limit', group: 'g', limit: 4, count: 4 },
    })
    expect(cleanAllowance({ ...use, boundToUser: 3 }, rules).refusal?.kind).toBe('sandbox_limit')
  })
})
