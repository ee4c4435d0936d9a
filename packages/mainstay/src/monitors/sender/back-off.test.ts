import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { pauseAfterMs } from './back-off.ts'

const times = { intervalMs: 10_000, max: 12, capMs: 60_000 }

describe('pauses between attempts (monitors 2.4)', () => {
  test.each([
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
    [4, 60_000],
    [5, 60_000],
    [5000, 60_000],
  ])('after attempt %i the pause stays under %i ms', (attempts, ceiling) => {
    expect(pauseAfterMs(attempts, 0.999_999, { ...times, mode: 'backoff' })).toBeCloseTo(ceiling, -1)
    expect(pauseAfterMs(attempts, 0.5, { ...times, mode: 'backoff' })).toBe(ceiling / 2)
  })

  test('SND-6 retry_mode = compat makes 13 attempts with 12 constant pauses, then backs off', () => {
    const pauses = Array.from({ length: 15 }, (_, n) => pauseAfterMs(n + 1, 0.5, { ...times, mode: 'compat' }))
    expect(pauses.slice(0, 12)).toEqual(Array<number>(12).fill(10_000))
    expect(pauses.slice(12)).toEqual([5_000, 10_000, 20_000])
  })

  test('a pause is never a busy loop and never beyond the cap', () => {
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    const mode = fc.constantFrom('backoff' as const, 'compat' as const)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), chance, mode, (attempts, luck, how) => {
        const pause = pauseAfterMs(attempts, luck, { ...times, mode: how })
        expect(pause).toBeGreaterThanOrEqual(100)
        expect(pause).toBeLessThanOrEqual(60_000)
      }),
    )
  })
})
