import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isCheckDue } from './due-check.ts'
import { isCheckOverlong } from './overlong-check.ts'

const STATES = ['got_ip', 'check_health', 'check_health_failed', 'ready', 'in_use', 'terminating']

describe('over-long checks (vm-pool.md A6.7)', () => {
  test.each([
    // state, check started, now → given up, with a limit of 60
    ['check_health', 0, 59, false],
    ['check_health', 0, 60, false],
    ['check_health', 0, 60.001, true],
    ['check_health', 70, 71, false],
    ['check_health', null, 60, false],
    ['check_health', null, 61, true],
    ['in_use', 0, 1000, false],
    ['ready', 0, 1000, false],
    ['terminating', 0, 1000, false],
  ] as const)('%s, since %s, at %d: %s', (state, lastHealthCheck, now, expected) => {
    expect(isCheckOverlong({ state, lastHealthCheck }, now, 60)).toBe(expected)
  })

  test('no machine is due for a check while one of its checks is given up', () => {
    const vm = fc.record({ state: fc.constantFrom(...STATES), lastHealthCheck: fc.option(fc.nat()) })
    fc.assert(
      fc.property(vm, fc.nat(), fc.nat(), (each, now, limit) => {
        expect(isCheckDue(each, now, limit) && isCheckOverlong(each, now, limit)).toBe(false)
      }),
    )
  })
})
