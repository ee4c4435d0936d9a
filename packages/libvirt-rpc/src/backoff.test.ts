import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffDelayMs } from './backoff.ts'

const bounds = { minDelayMs: 1_000, maxDelayMs: 30_000 }

describe('pauses between attempts (IM-3)', () => {
  test.each([
    // failures, random, pause
    [0, 0, 1_000],
    [0, 0.999_999, 1_000],
    [1, 0, 1_000],
    [1, 0.5, 1_500],
    [3, 0.5, 6_000],
    [5, 0, 15_000],
    [5, 0.5, 22_500],
    [1_000, 0.5, 22_500],
  ])('after %i failures, with chance %f: %i ms', (failures, random, pause) => {
    expect(backoffDelayMs(failures, { ...bounds, random: () => random })).toBe(pause)
  })

  test('property: never below the shortest nor above the longest pause', () => {
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(fc.nat(), chance, (failures, random) => {
        const pause = backoffDelayMs(failures, { ...bounds, random: () => random })
        expect(pause).toBeGreaterThanOrEqual(1_000)
        expect(pause).toBeLessThanOrEqual(30_000)
      }),
    )
  })
})
