import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isCheckDue } from './due-check.ts'

describe('due checks (vm-pool.md A6.3)', () => {
  test.each([
    // state, last check, now → due, with a period of 10
    ['ready', 0, 9, false],
    ['ready', 0, 10, false],
    ['ready', 0, 10.001, true],
    ['got_ip', 0, 11, true],
    ['in_use', 0, 11, true],
    ['check_health_failed', 0, 11, true],
    ['check_health', 0, 11, false],
    ['terminating', 0, 11, false],
    ['ready', null, 0, true],
    ['in_use', null, 0, true],
    ['check_health', null, 11, false],
    ['terminating', null, 11, false],
    ['ready', 0, 0, false],
  ] as const)('%s, last checked at %s, at %d: %s', (state, lastHealthCheck, now, expected) => {
    expect(isCheckDue({ state, lastHealthCheck }, now, 10)).toBe(expected)
  })

  test('a check that has just started is not due, whatever the period', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (now, period) => {
        expect(isCheckDue({ state: 'ready', lastHealthCheck: now }, now, period)).toBe(false)
      }),
    )
  })
})
