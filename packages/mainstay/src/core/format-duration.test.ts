import { expect, test } from 'vitest'

import { TimeoutError } from './errors.ts'
import { formatDuration, wholeMs } from './format-duration.ts'

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

test.each([
  [89_999.99952, '90000 ms'],
  [0.4, '0 ms'],
  [30_000, '30000 ms'],
])('%d ms as an option is %s, and so in a time-out', (ms, text) => {
  expect(wholeMs(ms)).toBe(text)
  expect(new TimeoutError('A look', ms).message).toBe(`A look took longer than ${text} and was given up.`)
})
