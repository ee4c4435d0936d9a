import { expect, test } from 'vitest'

import { decideFlow, parsePolicy, type SlowPolicy } from './flow.ts'
import { DEFAULT_HUB_OPTIONS as OPTIONS } from './options.ts'

const [SOFT, HARD, FRAMES] = [OPTIONS.softLimitBytes, OPTIONS.hardLimitBytes, OPTIONS.hardLimitFrames]

test.each<[SlowPolicy, 'live' | 'not live', number, number, ReturnType<typeof decideFlow>]>([
  // policy, state, unsent bytes, unsent frames → decision
  ['catchup', 'live', 0, 0, 'send'],
  ['catchup', 'live', SOFT, FRAMES + 1, 'send'],
  ['catchup', 'live', SOFT + 1, 0, 'wait'],
  ['catchup', 'live', HARD * 2, 0, 'wait'],
  ['catchup', 'not live', SOFT, 0, 'send'],
  ['catchup', 'not live', SOFT + 1, 0, 'wait'],
  ['drop', 'live', SOFT, 0, 'send'],
  ['drop', 'live', SOFT + 1, 0, 'skip'],
  // Whoever replays is fed at its own pace, whatever its policy.
  ['drop', 'not live', SOFT + 1, 0, 'wait'],
  ['disconnect', 'live', SOFT + 1, 0, 'send'],
  ['disconnect', 'live', HARD, FRAMES, 'send'],
  ['disconnect', 'live', HARD + 1, 0, 'disconnect'],
  ['disconnect', 'live', 0, FRAMES + 1, 'disconnect'],
  ['disconnect', 'not live', HARD + 1, FRAMES + 1, 'wait'],
])('R19 R20 %s, %s, with %i bytes and %i frames unsent: %s', (policy, state, unsentBytes, unsentFrames, expected) => {
  expect(decideFlow({ policy, live: state === 'live', unsentBytes, unsentFrames }, OPTIONS)).toBe(expected)
})

test('R20 the policy is one of three, catchup unless said', () => {
  expect([null, 'drop', 'disconnect', 'catchup'].map(parsePolicy)).toEqual(['catchup', 'drop', 'disconnect', 'catchup'])
  expect(() => parsePolicy('block')).toThrow(/one of catchup, drop, disconnect/)
})
