import { describe, expect, test } from 'vitest'

import { mayAcquireMore } from './user-limit.ts'

describe("a user's limit (vm-pool.md A5.2)", () => {
  test.each([
    [0, 1, true],
    [1, 1, false],
    [2, 3, true],
    [3, 3, false],
    [4, 3, false],
    [1000, 0, true],
    [1000, null, true],
    [1000, undefined, true],
  ] as const)('holding %d of %s: may have one more %s', (held, limit, expected) => {
    expect(mayAcquireMore(held, limit)).toBe(expected)
  })
})
