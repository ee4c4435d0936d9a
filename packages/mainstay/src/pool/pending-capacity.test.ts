import { describe, expect, test } from 'vitest'

import { isCapacityToCome } from './pending-capacity.ts'
import { VM_STATES } from './state.ts'

describe('machines on their way (C11)', () => {
  test.each([
    ['requested', 899_999, 0, true],
    ['requested', 900_000, 0, false],
    ['building', 899_999, 0, true],
    ['building', 900_000, 0, false],
    ['starting', 5_000_000, 899_999, true],
    ['starting', 5_000_000, 900_000, false],
    ['got_ip', 5_000_000, 5_000_000, true],
    ['check_health', 5_000_000, 5_000_000, true],
    ['ready', 0, 0, false],
    ['in_use', 0, 0, false],
    ['terminating', 0, 0, false],
  ] as const)(
    '%s, made %i ms ago and so for %i ms, counts as capacity to come: %s',
    (state, madeMs, sinceMs, counts) => {
      const now = 10_000_000
      const vm = { state, createdAt: now - madeMs, stateSince: now - sinceMs }
      expect(isCapacityToCome(vm, now, { launchTimeoutMs: 900_000 })).toBe(counts)
    },
  )

  test('in no other state', () => {
    const counted = VM_STATES.filter((state) => {
      return isCapacityToCome({ state, createdAt: 0, stateSince: 0 }, 1, { launchTimeoutMs: 10 })
    })
    expect(counted).toEqual(['requested', 'building', 'got_ip', 'check_health', 'starting'])
  })
})
