import { describe, expect, test } from 'vitest'

import type { CrashOutcome } from '../crash/crash-run.ts'
import { judgeRuns } from '../crash/verdict.ts'

const fine = { scenario: 'a scenario', store: 'sqlite', status: 'finished', lost: [], double: [], untold: [] }

const undisturbed: CrashOutcome = { ...fine, point: -1, died: false, passed: 39 }

/** The undisturbed run and one for each of 40 points, those given instead of what is good. */
function runs(...changed: readonly Partial<CrashOutcome>[]): CrashOutcome[] {
  const good = Array.from({ length: 40 }, (_, point) => ({ ...fine, point, died: true, passed: point }))
  return [undisturbed, ...good].map((run) => ({ ...run, ...changed.find(({ point }) => point === run.point) }))
}

describe('the verdict of a crash enumeration', () => {
  test('counts the runs that died at their point, and has no complaint', () => {
    expect(judgeRuns(runs({ point: 0, passed: 3 }))).toEqual({ died: 40, unreached: 0, complaints: [] })
  })

  test('does not count a run that ended before its point, and bears few of them', () => {
    const two = runs({ point: 38, died: false, passed: 37 }, { point: 39, died: false, passed: 37 })
    expect(judgeRuns(two)).toEqual({ died: 38, unreached: 2, complaints: [] })
  })

  test.each<[what: string, outcomes: CrashOutcome[], complaint: string]>([
    [
      'more of them',
      runs(...[37, 38, 39].map((point) => ({ point, died: false, passed: 36 }))),
      '3 of 40 runs ended before their point; at most 2 may',
    ],
    ['one of a few', runs({ point: 8, died: false, passed: 7 }).slice(0, 10), '1 of 9 runs ended before'],
    ['one that passed its point and lived', runs({ point: 20, died: false, passed: 39 }), 'point 20 lived after 39'],
    ['one that died elsewhere', runs({ point: 20, passed: 4 }), 'point 20 died after 4'],
    ['no crash at all', [undisturbed], 'no run died'],
    ['a death without a cause', runs({ point: -1, died: true }), 'the undisturbed run died'],
    ['a guest that was lost', runs({ point: 7, lost: ['guest'] }), '"lost":["guest"]'],
    ['a guest that was started twice', runs({ point: 7, double: ['guest'] }), '"double":["guest"]'],
    ['a step that nobody was told of', runs({ point: 7, untold: ['it is not told'] }), '"untold":["it is not told"]'],
    ['a recovery without an end', runs({ point: 7, status: 'stuck in running' }), '"status":"stuck in running"'],
  ])('complains of %s', (_what, outcomes, complaint) => {
    expect(judgeRuns(outcomes).complaints).toEqual([expect.stringContaining(complaint)])
  })
})
