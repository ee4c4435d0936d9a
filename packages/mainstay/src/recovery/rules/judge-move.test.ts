import { describe, expect, test } from 'vitest'

import type { InstanceMove } from '../../compute/index.ts'
import { judgeMove } from './judge-move.ts'

const BEGAN = 100
const MOVE: InstanceMove = {
  key: 'k',
  instance: 'u',
  source: 'dead',
  target: 'b',
  startedAt: 150,
  state: 'running',
  message: null,
}
const CARRY_ON = { act: 'carry on', key: 'k', target: 'b' }
const ONWARDS: InstanceMove = { ...MOVE, key: 'l', source: 'b', target: 'c' }

describe('a guest of a dead host that', () => {
  test.each<[string, InstanceMove[], unknown]>([
    ['nobody has moved', [], { act: 'begin' }],
    ['is under way', [MOVE], CARRY_ON],
    ['is under way since an earlier recovery', [{ ...MOVE, startedAt: 50 }], CARRY_ON],
    ['has left in this recovery', [{ ...MOVE, state: 'done' }], { act: 'wait', target: 'b' }],
    ['left, and came back, before this recovery', [{ ...MOVE, state: 'done', startedAt: 50 }], { act: 'begin' }],
    ['could not be moved', [{ ...MOVE, state: 'failed' }], { act: 'begin' }],
    ['was moved on from its target', [ONWARDS, { ...MOVE, state: 'failed' }], { act: 'wait', target: 'c' }],
    [
      'was moved here long ago',
      [{ ...MOVE, source: 'a', target: 'dead', startedAt: 50, state: 'done' }],
      { act: 'begin' },
    ],
  ])('%s', (_what, moves, verdict) => {
    expect(judgeMove(moves, { source: 'dead', sinceMs: BEGAN })).toEqual(verdict)
  })
})
