import { expect, test } from 'vitest'

import { InvalidInputError } from '../core/errors.ts'
import { processClock } from './process-clock.ts'

const HOUR_MS = 3_600_000
const RUN = { MAINSTAY_TESTKIT_RUN: 'a' }

test.each([
  ['a process of the test kit that is told to', { ...RUN, MAINSTAY_TESTKIT_CLOCK_SKEW_MS: String(-24 * HOUR_MS) }, -24],
  ['one that is told nothing', RUN, 0],
  ['any other process, whatever stands in its environment', { MAINSTAY_TESTKIT_CLOCK_SKEW_MS: '86400000' }, 0],
])('%s has its clock ahead by as much', (_, env, hours) => {
  const said: string[] = []
  const aheadMs = processClock(env, (line) => said.push(line)).now() - Date.now()
  expect(Math.round(aheadMs / HOUR_MS)).toBe(hours)
  expect(said.join()).toBe(
    hours === 0
      ? ''
      : 'The clock of this process is ahead by -86400000 ms: a test wants it so (MAINSTAY_TESTKIT_CLOCK_SKEW_MS).',
  )
})

test.each(['', 'an hour', '1.5', '1e3', '9'.repeat(20)])('a skew that is no whole number is refused: "%s"', (skew) => {
  const env = { ...RUN, MAINSTAY_TESTKIT_CLOCK_SKEW_MS: skew }
  expect(() => processClock(env, () => undefined)).toThrow(InvalidInputError)
})
