import { expect, test } from 'vitest'

import { evacuatedText, notEvacuatedText, type GuestOutcome } from './recovery-outcome.ts'

const RUNS: GuestOutcome = { name: 'web', was: 'active', is: 'active', error: null }
const STOPPED: GuestOutcome = { name: 'db', was: 'stopped', is: 'stopped', error: null }
const FAILED: GuestOutcome = { name: 'mail', was: 'active', is: null, error: 'no room' }

test.each<[string, GuestOutcome[], string]>([
  ['all run', [RUNS, RUNS], '2 guests of host dead run elsewhere'],
  [
    'one was stopped',
    [RUNS, STOPPED],
    '1 guests of host dead run elsewhere; 1 were moved and do not run, as before: db (was stopped, is stopped)',
  ],
  [
    'a paused one is stopped',
    [{ ...STOPPED, was: 'paused' }],
    '0 guests of host dead run elsewhere; 1 were moved and do not run, as before: db (was paused, is stopped)',
  ],
])('counts the guests that were seen running: %s', (_what, guests, text) => {
  expect(evacuatedText('dead', guests)).toBe(text)
})

test('names the guests that could not be brought over', () => {
  expect(notEvacuatedText([RUNS, FAILED])).toBe('1 of 2 guests could not be evacuated: mail (no room)')
})
