import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { judgeSighting, type Sighting } from './sighting.ts'

const SEEN_AT_B: Sighting = {
  host: 'b',
  here: 'executes',
  recordedHost: 'a',
  movedAway: false,
  moving: false,
  atRecordedHost: 'idle',
}
const left = { here: 'no-process' } as const

describe('a guest that a host shows', () => {
  test.each<[string, Partial<Sighting>, string]>([
    ['a guest that is new', { recordedHost: undefined }, 'record'],
    ['a guest that is where it should be', { recordedHost: 'b' }, 'record'],
    ['a guest that was migrated', {}, 'adopt'],
    ['a guest that is just arriving by migration', { here: 'idle', atRecordedHost: 'executes' }, 'ignore'],
    ['a definition that was left behind by somebody', left, 'ignore'],
    ['a guest that runs on both', { atRecordedHost: 'executes' }, 'alarm'],
    ['a guest whose own host is silent', { atRecordedHost: 'unreachable' }, 'alarm'],
    ['what is left of a guest that was moved away', { movedAway: true, ...left }, 'undefine'],
    ['the same while the new host is silent', { movedAway: true, ...left, atRecordedHost: 'unreachable' }, 'undefine'],
    ['what is left of a guest that has not arrived elsewhere', { movedAway: true, moving: true, ...left }, 'ignore'],
    ['a guest on its way elsewhere that runs here', { movedAway: true, moving: true }, 'alarm'],
    ['a moved guest that runs on both', { movedAway: true, atRecordedHost: 'executes' }, 'alarm'],
    ['a moved guest that is paused here', { movedAway: true, here: 'idle', atRecordedHost: 'executes' }, 'alarm'],
    ['a moved guest that runs only here', { movedAway: true }, 'alarm'],
    ['a moved guest that runs here, the new host silent', { movedAway: true, atRecordedHost: 'unreachable' }, 'alarm'],
  ])('%s', (_what, change, verdict) => {
    expect(judgeSighting({ ...SEEN_AT_B, ...change }).do).toBe(verdict)
  })

  test('is never taken away while it has a process, and its place never changes to one where it does not run', () => {
    const sightings = fc.record<Sighting>({
      host: fc.constant('b'),
      here: fc.constantFrom('no-process', 'idle', 'executes'),
      recordedHost: fc.constantFrom(undefined, 'a', 'b'),
      movedAway: fc.boolean(),
      moving: fc.boolean(),
      atRecordedHost: fc.constantFrom('executes', 'idle', 'unreachable'),
    })
    fc.assert(
      fc.property(sightings, (sighting) => {
        const { here, recordedHost, atRecordedHost } = sighting
        const verdict = judgeSighting(sighting).do
        const twice = here === 'executes' && recordedHost === 'a' && atRecordedHost !== 'idle'
        expect({
          takesNothingThatRuns: verdict !== 'undefine' || here === 'no-process',
          placesItWhereItRuns: verdict !== 'adopt' || (here === 'executes' && atRecordedHost === 'idle'),
          alarms: !twice || verdict === 'alarm',
        }).toEqual({ takesNothingThatRuns: true, placesItWhereItRuns: true, alarms: true })
      }),
    )
  })
})
