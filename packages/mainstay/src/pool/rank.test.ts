import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'

import { agedPriority, queueScore, rank, type Contender } from './rank.ts'

const contender = (owner: string, fields: Partial<Contender> = {}): Contender => ({
  owner,
  requestId: owner,
  priority: 0,
  weight: 1,
  submittedAt: 0,
  servedAt: 0,
  held: 0,
  ...fields,
})

const order = (contenders: readonly Contender[], now = 0): string =>
  rank(contenders, now, 1000)
    .map((each) => each.owner)
    .join(' ')

describe('who is next (vm-pool.md C4)', () => {
  test('the higher class, then the smaller share by weight, then the older request, then the id', () => {
    const all = [
      contender('b', { held: 1, submittedAt: 5 }),
      contender('a', { held: 1, submittedAt: 5 }),
      contender('older', { held: 1, submittedAt: 4 }),
      contender('heavy', { held: 3, weight: 4 }),
      contender('none', { submittedAt: 9 }),
      contender('urgent', { held: 100, priority: 1 }),
    ]
    expect(order(all, 9)).toBe('urgent none heavy older a b')
  })

  test('waiting counts from the request or the last service, whichever is later', () => {
    expect(agedPriority(contender('a', { priority: 3 }), 4999, 1000)).toBe(7)
    expect(agedPriority(contender('a', { priority: 3, servedAt: 4000 }), 4999, 1000)).toBe(3)
    expect(agedPriority(contender('a', { submittedAt: 9000 }), 4999, 1000)).toBe(0)
  })

  test('nobody waits for ever: whoever is passed over long enough is first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 50 }), (priority, held) => {
        const patient = contender('patient', { held })
        const now = 1_002_000
        // Served again and again, its class never rises.
        const busy = contender('busy', { priority, submittedAt: 0, servedAt: now - 1 })
        expect(order([busy, patient], now)).toBe('patient busy')
      }),
    )
  })

  test('the place among the requests of an owner weighs waiting and priority in the same way', () => {
    expect(queueScore({ rankAt: 5000, priority: 2 }, 1000)).toBe(queueScore({ rankAt: 3000, priority: 0 }, 1000))
    expect(queueScore({ rankAt: 5000, priority: 3 }, 1000)).toBeLessThan(
      queueScore({ rankAt: 3000, priority: 0 }, 1000),
    )
  })
})
