import { describe, expect, test } from 'vitest'

import { decideDelivery, type DeliveryOutcome, type DeliverySituation } from './delivery-policy.ts'
import { retryAfterMs } from './retry-after.ts'

const HOUR_MS = 3_600_000
const policy = {
  mode: 'backoff',
  intervalMs: 10_000,
  max: 12,
  capMs: 60_000,
  ttlMs: 24 * HOUR_MS,
  maxRetryAfterMs: HOUR_MS,
} as const
const situation: DeliverySituation = { attempts: 1, ageMs: 5, reauthenticated: false, chance: 0.5 }
const answered = (status: number, pauseMs?: number): DeliveryOutcome => {
  return { kind: 'answered', status, retryAfterMs: pauseMs, text: 'so' }
}

describe('what follows from an answer (monitors 2.3)', () => {
  test.each([
    [200, { kind: 'done', as: 'delivered' }],
    [202, { kind: 'done', as: 'delivered' }],
    [204, { kind: 'done', as: 'delivered' }],
    [409, { kind: 'done', as: 'duplicate', because: '409 so' }],
    [400, { kind: 'dead-letter', because: '400 so' }],
    [413, { kind: 'dead-letter', because: '413 so' }],
    [422, { kind: 'dead-letter', because: '422 so' }],
    [401, { kind: 'reauthenticate' }],
    [301, { kind: 'retry', afterMs: 5_000, asked: false, because: '301 so' }],
    [403, { kind: 'retry', afterMs: 5_000, asked: false, because: '403 so' }],
    [404, { kind: 'retry', afterMs: 5_000, asked: false, because: '404 so' }],
    [405, { kind: 'retry', afterMs: 5_000, asked: false, because: '405 so' }],
    [408, { kind: 'retry', afterMs: 5_000, asked: false, because: '408 so' }],
    [429, { kind: 'retry', afterMs: 5_000, asked: false, because: '429 so' }],
    [500, { kind: 'retry', afterMs: 5_000, asked: false, because: '500 so' }],
    [502, { kind: 'retry', afterMs: 5_000, asked: false, because: '502 so' }],
    [503, { kind: 'retry', afterMs: 5_000, asked: false, because: '503 so' }],
    [504, { kind: 'retry', afterMs: 5_000, asked: false, because: '504 so' }],
  ] as const)('%i leads to %j', (status, decision) => {
    expect(decideDelivery(answered(status), situation, policy)).toEqual(decision)
  })

  test('no answer at all is tried again', () => {
    const outcome = { kind: 'unreachable', text: 'fetch failed: connect ECONNREFUSED' } as const
    const decision = { kind: 'retry', afterMs: 5_000, asked: false, because: outcome.text }
    expect(decideDelivery(outcome, situation, policy)).toEqual(decision)
  })

  test('401 with a fresh token is tried again later, not at once', () => {
    const decision = decideDelivery(answered(401), { ...situation, reauthenticated: true }, policy)
    expect(decision).toMatchObject({ kind: 'retry', afterMs: 5_000 })
  })

  test.each([
    [429, 90_000, 90_000],
    [503, 90_000, 90_000],
    [503, 1_000, 5_000], // never sooner than our own pause
    [503, 1_000 * HOUR_MS, HOUR_MS], // a wish has its limit
  ])('Retry-After of %i is honoured: %i ms asked, %i ms waited', (status, askedMs, afterMs) => {
    expect(decideDelivery(answered(status, askedMs), situation, policy)).toMatchObject({ afterMs, asked: true })
  })

  test('Retry-After counts for 429 and 503 only', () => {
    expect(decideDelivery(answered(500, 90_000), situation, policy)).toMatchObject({ afterMs: 5_000, asked: false })
  })

  test.each([
    [24 * HOUR_MS - 1, 'retry'],
    [24 * HOUR_MS, 'dead-letter'],
  ])('a record that failed at the age of %i ms: %s (spool_ttl)', (ageMs, kind) => {
    expect(decideDelivery(answered(500), { ...situation, ageMs }, policy).kind).toBe(kind)
  })

  test('a record older than its time to live that is taken after all is done', () => {
    const old = { ...situation, ageMs: 100 * HOUR_MS }
    expect(decideDelivery(answered(202), old, policy)).toEqual({ kind: 'done', as: 'delivered' })
  })
})

describe('Retry-After', () => {
  const now = Date.UTC(2026, 10, 21, 12, 0, 0)
  test.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Sat, 21 Nov 2026 12:01:30 GMT', 90_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['-5', undefined],
    [null, undefined],
  ])('%j is %s ms', (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected)
  })
})
