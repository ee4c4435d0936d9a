import { expect, test } from 'vitest'

import { processEnd } from './process-end.ts'

test.each([
  // the status before, how it ended, of a guest, where it was decided → told
  ['running', 'finished', false, 'target', 'end'],
  ['running', 'finished', true, 'report', 'end'],
  ['running', 'failed', false, 'target', 'error'],
  ['running', 'ignored', false, 'report', 'end'],
  ['running', 'ignored', true, 'report', null],
  ['running', 'ignored', true, 'target', 'error'],
  ['new', 'ignored', false, 'report', null],
  ['error', 'failed', false, 'target', null],
  ['failed', 'failed', false, 'target', null],
] as const)('18 %s, then %s (a guest: %s, by its %s): tells %s', (was, status, isGuest, stage, told) => {
  expect(processEnd(was, { status, isGuest, stage })).toBe(told)
})
