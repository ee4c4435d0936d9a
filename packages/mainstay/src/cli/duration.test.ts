import { describe, expect, test } from 'vitest'

import { formatDuration, parseDuration } from './duration.ts'
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

  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1000, '1.0 s'],
    [4230, '4.2 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [3_599_000, '59 min 59 s'],
    [3_600_000, '1 h 00 min'],
    [7_800_000, '2 h 10 min'],
  ])('%i ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})
