import { assert, double, integer, property } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { DEFAULT_RETRY_SCHEDULE, readRetryAfter, waitAfterFailure } from './retry-schedule.ts'

const MIDDLE = { retryAfterMs: null, chance: 0.5 }

describe('when a failed delivery is tried again (E-221, R39)', () => {
  test.each([
    [1, 5_000],
    [2, 30_000],
    [3, 120_000],
    [4, 600_000],
    [5, 3_600_000],
    [6, 21_600_000],
    [7, 86_400_000],
    [8, undefined],
  ])('E-221 after %i failures: %s ms', (failures, expected) => {
    expect(waitAfterFailure({ ...MIDDLE, failures })).toBe(expected)
  })

  test('E-221 chance changes a wait by 20 % at most, and reaches both ends', () => {
    const chance = double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    assert(
      property(integer({ min: 1, max: 7 }), chance, (failures, each) => {
        const wait = waitAfterFailure({ failures, chance: each, retryAfterMs: null })!
        const base = DEFAULT_RETRY_SCHEDULE.waitsMs[failures - 1]!
        expect(wait).toBeGreaterThanOrEqual(base * 0.8)
        expect(wait).toBeLessThanOrEqual(base * 1.2)
      }),
    )
    expect(waitAfterFailure({ failures: 1, retryAfterMs: null, chance: 0 })).toBe(4000)
    expect(waitAfterFailure({ failures: 1, retryAfterMs: null, chance: 0.999_99 })).toBe(6000)
  })

  test.each([
    ['longer than the wait', 60_000, 60_000],
    ['shorter than the wait', 1000, 5000],
    ['longer than anybody may ask for', 9e9, 86_400_000],
  ])('E-221 Retry-After %s', (_what, retryAfterMs, expected) => {
    expect(waitAfterFailure({ failures: 1, retryAfterMs, chance: 0.5 })).toBe(expected)
  })

  test('E-221 Retry-After does not lengthen the list of attempts', () => {
    expect(waitAfterFailure({ failures: 8, retryAfterMs: 1000, chance: 0.5 })).toBeUndefined()
  })
})

describe('reading Retry-After (RFC 9110 10.2.3)', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  test.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['soon', null],
    ['-5', null],
    ['1.5', null],
    ['2026-01-01', null],
    ['', null],
    [undefined, null],
  ])('%s is %s ms', (header, expected) => {
    expect(readRetryAfter(header, now)).toBe(expected)
  })
})
