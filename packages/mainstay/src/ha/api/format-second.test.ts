import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { formatTimestamp, formatWholeSeconds } from '../../core/timestamp.ts'
import { formatMoment, formatSecond } from './format-second.ts'

const DAY_MS = 86_400_000

test('writes every time as the core does', () => {
  fc.assert(
    fc.property(fc.integer({ min: -DAY_MS * 1000, max: Date.UTC(9999, 0, 1) }), (ms) => {
      expect(formatSecond(ms)).toBe(formatWholeSeconds(ms))
      expect(formatMoment(ms)).toBe(formatTimestamp(ms))
    }),
    { numRuns: 2000 },
  )
})
