import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { judgeStart, type StartedGuest } from './judge-start.ts'

const OURS: StartedGuest = { place: 'here', mark: 'ours', created: true }

describe('a guest that was created paused', () => {
  test.each<[string, Partial<StartedGuest>, string]>([
    ['is where it belongs, under our mark', {}, 'let run'],
    ['was found so, under the mark of a start that ended half-way', { created: false }, 'let run'],
    ['has been moved meanwhile', { place: 'elsewhere' }, 'give up: moved, takes away any'],
    ['has been moved, and its mark is off', { place: 'elsewhere', mark: 'off' }, 'give up: moved, takes away any'],
    [
      'was found, and has been moved meanwhile',
      { place: 'elsewhere', created: false },
      'give up: moved, takes away paused',
    ],
    ['has been let run or ended by somebody', { mark: 'off' }, 'give up: taken over, takes away paused'],
    ['was found, and ended by somebody', { mark: 'off', created: false }, 'give up: taken over, takes away paused'],
    ['is being started by somebody else', { mark: 'another' }, 'give up: taken over, takes away none'],
  ])('%s → %s', (_what, change, expected) => {
    const verdict = judgeStart({ ...OURS, ...change })
    const told = verdict.act === 'let run' ? verdict.act : `give up: ${verdict.because}, takes away ${verdict.takeAway}`
    expect(told).toBe(expected)
  })

  test('never executes where it does not belong or under another’s mark, and no running copy of somebody else is ended', () => {
    const guests = fc.record<StartedGuest>({
      place: fc.constantFrom('here', 'elsewhere'),
      mark: fc.constantFrom('ours', 'another', 'off'),
      created: fc.boolean(),
    })
    fc.assert(
      fc.property(guests, (guest) => {
        const verdict = judgeStart(guest)
        const mayRun = guest.place === 'here' && guest.mark === 'ours'
        expect(verdict.act === 'let run').toBe(mayRun)
        const endsWhatRuns = verdict.act === 'give up' && verdict.takeAway === 'any'
        expect(endsWhatRuns && !(guest.created && guest.place === 'elsewhere')).toBe(false)
      }),
    )
  })
})
