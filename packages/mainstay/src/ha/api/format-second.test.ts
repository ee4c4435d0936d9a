import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { formatWholeSeconds } from '../../core/timestamp.ts'
import { formatSecond } from './format-second.ts'

test('writes every time as the core does', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 0, 1) }), (ms) => {
      expect(formatSecond(ms)).toBe(formatWholeSeconds(ms))
    }),
    { numRuns: 2000 },
  )
})
