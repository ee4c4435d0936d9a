import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { terminateAgain } from './terminate-again.ts'

describe('terminate again (vm-pool.md A6.8)', () => {
  test.each([
    // state, since, now, records at the address → decision, with a time-out of 300
    ['terminating', 0, 299, 1, 'leave'],
    ['terminating', 0, 300, 1, 'leave'],
    ['terminating', 0, 300.001, 1, 'terminate'],
    ['terminating', 0, 301, 2, 'drop'],
    ['terminating', 0, 300, 2, 'leave'],
    ['terminating', null, 300, 1, 'leave'],
    ['terminating', null, 301, 1, 'terminate'],
    ['terminating', 0, 301, 0, 'terminate'],
    ['in_use', 0, 1000, 2, 'leave'],
    ['check_health', 0, 1000, 2, 'leave'],
    ['ready', 0, 1000, 1, 'leave'],
  ] as const)(
    '%s since %s, at %d, %d at its address: %s',
    (state, terminatingSince, now, recordsAtAddress, expected) => {
      expect(terminateAgain({ state, terminatingSince }, now, { timeout: 300, recordsAtAddress })).toBe(expected)
    },
  )

  test('a machine alone at its address is never dropped, and one that shares it is never asked again', () => {
    fc.assert(
      fc.property(fc.option(fc.nat()), fc.nat(), fc.nat(), fc.nat(), (terminatingSince, now, timeout, others) => {
        const decided = terminateAgain({ state: 'terminating', terminatingSince }, now, {
          timeout,
          recordsAtAddress: others + 1,
        })
        expect(decided).not.toBe(others === 0 ? 'drop' : 'terminate')
      }),
    )
  })
})
