import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isIdleDirty } from './idle-dirty.ts'

describe('idle dirty machines (vm-pool.md A6.2)', () => {
  test.each([
    // state, bound to, last release, now → thrown away
    ['ready', 'bob', 0, 119, false],
    ['ready', 'bob', 0, 120, false],
    ['ready', 'bob', 0, 120.001, true],
    ['ready', 'bob', 0, 121, true],
    ['ready', null, 0, 1000, false],
    ['ready', 'bob', null, 1000, false],
    ['in_use', 'bob', 0, 1000, false],
    ['check_health', 'bob', 0, 1000, false],
    ['check_health_failed', 'bob', 0, 1000, false],
    ['terminating', 'bob', 0, 1000, false],
  ] as const)('%s, bound to %s, released at %s, at %d: %s', (state, boundToUser, lastRelease, now, expected) => {
    expect(isIdleDirty({ state, boundToUser, lastRelease }, now, 120)).toBe(expected)
  })

  test('once thrown away, always: waiting longer never saves a machine', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), fc.nat(), (lastRelease, now, later, timeout) => {
        const vm = { state: 'ready', boundToUser: 'bob', lastRelease }
        expect(isIdleDirty(vm, now, timeout) && !isIdleDirty(vm, now + later, timeout)).toBe(false)
      }),
    )
  })
})
