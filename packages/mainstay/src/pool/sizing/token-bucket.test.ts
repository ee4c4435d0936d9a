import { array, assert, nat, property, tuple } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { available, fullBucket, refilled, spent, type BucketRate } from './token-bucket.ts'

const rate: BucketRate = { burst: 10, perMinute: 6 }

describe('C8 the token bucket of spawns', () => {
  test('C8 gives the burst at once and then one each ten seconds', () => {
    const empty = spent(fullBucket(rate, 0), 10)
    expect(available(empty, rate)).toBe(0)
    expect(available(refilled(empty, rate, 9999), rate)).toBe(0)
    expect(available(refilled(empty, rate, 10_000), rate)).toBe(1)
    expect(available(refilled(empty, rate, 3_600_000), rate)).toBe(10)
  })

  test('C8 looking often loses nothing', () => {
    let bucket = spent(fullBucket(rate, 0), 10)
    for (let now = 0; now <= 10_000; now += 100) bucket = refilled(bucket, rate, now)
    expect(bucket.tokens).toBeCloseTo(1, 6)
  })

  test('C8 a clock that is set back gives nothing', () => {
    const bucket = refilled(spent(fullBucket(rate, 1_000_000), 5), rate, 0)
    expect(bucket.tokens).toBe(5)
  })

  test('C8 without a burst there is no limit', () => {
    const none = { burst: 0, perMinute: 0 }
    expect(available(fullBucket(none, 0), none)).toBe(Number.POSITIVE_INFINITY)
  })

  test('C8 over any time no more is taken than the burst and what came back', () => {
    assert(
      property(array(tuple(nat(20_000), nat(12)), { maxLength: 60 }), (steps) => {
        let bucket = fullBucket(rate, 0)
        let now = 0
        let taken = 0
        for (const [pause, wanted] of steps) {
          now += pause
          bucket = refilled(bucket, rate, now)
          const count = Math.min(wanted, available(bucket, rate))
          bucket = spent(bucket, count)
          taken += count
        }
        expect(taken).toBeLessThanOrEqual(10 + (now * 6) / 60_000 + 1e-6)
      }),
    )
  })
})
