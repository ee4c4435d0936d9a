import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { judgeClaim, type Claim } from './judge-claim.ts'

const CLAIM: Claim = { own: 'open', atTarget: 'no-process', refused: false }

describe('the claim on a guest that is to be restarted elsewhere', () => {
  test.each<[string, Partial<Claim>, string]>([
    ['of this act, which an earlier process left undone', {}, 'carry on'],
    ['of this act, its guest running at the target already', { atTarget: 'process' }, 'wait'],
    ['of this act, its target silent', { atTarget: 'silent' }, 'refuse'],
    ['of this act, its target silent after a refusal', { atTarget: 'silent', refused: true }, 'refuse'],
    ['of this act, refused by a target that shows no process', { refused: true }, 'give back'],
    ['of this act, refused by a target that runs it', { refused: true, atTarget: 'process' }, 'wait'],
    ['of this act, which has ended', { own: 'done' }, 'wait'],
    ['of another act that moved it on', { own: 'superseded' }, 'wait'],
  ])('%s', (_what, change, verdict) => {
    expect(judgeClaim({ ...CLAIM, ...change })).toBe(verdict)
  })

  test('never lets a guest be started where that may be a second copy', () => {
    const claims = fc.record<Claim>({
      own: fc.constantFrom('open', 'done', 'superseded'),
      atTarget: fc.constantFrom('process', 'no-process', 'silent'),
      refused: fc.boolean(),
    })
    fc.assert(
      fc.property(claims, (claim) => {
        const verdict = judgeClaim(claim)
        expect({
          startsWhereNothingRuns: verdict !== 'carry on' || (claim.own === 'open' && claim.atTarget === 'no-process'),
          givesBackWhatIsSeenNotToRun: verdict !== 'give back' || claim.atTarget === 'no-process',
        }).toEqual({ startsWhereNothingRuns: true, givesBackWhatIsSeenNotToRun: true })
      }),
    )
  })
})
