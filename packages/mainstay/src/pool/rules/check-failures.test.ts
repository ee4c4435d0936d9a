import { describe, expect, test } from 'vitest'

import { tooManyCheckFails } from './check-failures.ts'

describe('failed checks (vm-pool.md A9)', () => {
  test.each([
    [null, 2, false],
    [null, 0, false],
    [0, 0, false],
    [1, 2, false],
    [2, 2, false],
    [3, 2, true],
    [1, 0, true],
  ] as const)('%s failures with a limit of %d: %s', (fails, limit, expected) => {
    expect(tooManyCheckFails(fails, limit)).toBe(expected)
  })
})
