import { describe, expect, test } from 'vitest'

import { parseDuration } from './duration.ts'
import { UsageError } from './errors.ts'

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1.5s', 1500],
    ['7', 7000],
    [' 7 ', 7000],
  ])('"%s" is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(['', 's', '-1s', '1 s', '1w', '1e3', 'Infinity'])('"%s" is none', (text) => {
    expect(() => parseDuration(text)).toThrow(UsageError)
  })
})
