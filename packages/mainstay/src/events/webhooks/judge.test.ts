import { describe, expect, test } from 'vitest'

import { judgeAttempt, progressAfter, type Attempt, type Verdict } from './judge.ts'
import { FORWARDING_PROFILE, STANDARD_PROFILE } from './profile.ts'
import type { Answer } from './send.ts'
import type { Progress } from './webhook.ts'

const NOW = 1_800_000_000_000
const DAY = 86_400_000
const answered = (status: number, retryAfter?: string): Answer => ({ kind: 'answered', status, retryAfter })
const BROKEN: Answer = { kind: 'failed', reason: 'nobody listens' }

function attempt(answer: Answer, progress: Partial<Attempt['progress']> = {}): Attempt {
  return { answer, progress: { failures: 0, failingSince: null, ...progress }, now: NOW, chance: 0.5 }
}

const PROGRESS: Progress = {
  epoch: 'e1',
  position: 10,
  failures: 2,
  nextAttemptAt: NOW - 1,
  failingSince: NOW - 1000,
  lastDeliveryAt: NOW - 5000,
  lastError: 'before',
  missed: 3,
}

describe('what becomes of a delivery (E-221, R39)', () => {
  test.each([200, 201, 202, 204, 299])('E-221 %i is success', (status) => {
    expect(judgeAttempt(attempt(answered(status)), STANDARD_PROFILE)).toEqual({ kind: 'delivered' })
  })

  test.each([100, 300, 301, 307, 400, 401, 403, 404, 408, 429, 500, 503])(
    'E-221 after %i it is tried again',
    (status) => {
      expect(judgeAttempt(attempt(answered(status)), STANDARD_PROFILE)).toEqual({
        kind: 'again',
        at: NOW + 5000,
        reason: `the receiver answered ${status}`,
      })
    },
  )

  test('E-221 so it is without an answer, and later when the receiver asks for it', () => {
    expect(judgeAttempt(attempt(BROKEN, { failures: 1 }), STANDARD_PROFILE)).toEqual({
      kind: 'again',
      at: NOW + 30_000,
      reason: 'nobody listens',
    })
    expect(judgeAttempt(attempt(answered(503, '60')), STANDARD_PROFILE)).toMatchObject({ at: NOW + 60_000 })
  })

  test('E-221 the eighth failure makes it a dead letter', () => {
    expect(judgeAttempt(attempt(BROKEN, { failures: 6 }), STANDARD_PROFILE).kind).toBe('again')
    expect(judgeAttempt(attempt(BROKEN, { failures: 7 }), STANDARD_PROFILE)).toEqual({
      kind: 'dead',
      reason: 'nobody listens',
    })
  })

  test('E-221 410 switches the webhook off at once', () => {
    expect(judgeAttempt(attempt(answered(410)), STANDARD_PROFILE)).toMatchObject({ kind: 'off' })
  })

  test.each([
    [3 * DAY - 1, 'again'],
    [3 * DAY, 'off'],
  ])('E-221 after failing for %i ms: %s', (failingMs, kind) => {
    expect(judgeAttempt(attempt(BROKEN, { failingSince: NOW - failingMs }), STANDARD_PROFILE).kind).toBe(kind)
  })

  test.each<[Verdict, Partial<Progress>]>([
    [
      { kind: 'delivered' },
      { position: 11, failures: 0, nextAttemptAt: null, failingSince: null, lastDeliveryAt: NOW, lastError: null },
    ],
    [
      { kind: 'again', at: NOW + 7, reason: 'r' },
      { failures: 3, nextAttemptAt: NOW + 7, lastError: 'r' },
    ],
    [
      { kind: 'dead', reason: 'r' },
      { position: 11, failures: 0, nextAttemptAt: null, lastError: 'r' },
    ],
    [
      { kind: 'off', reason: 'r' },
      { failures: 0, nextAttemptAt: null, lastError: 'r' },
    ],
  ])('E-221 how far it has come after %j', (verdict, changed) => {
    expect(progressAfter(PROGRESS, verdict, 11, NOW)).toEqual({ ...PROGRESS, ...changed })
  })

  test('E-221 the first failure begins the three days, a success ends them', () => {
    const fresh = { ...PROGRESS, failingSince: null }
    expect(progressAfter(fresh, { kind: 'again', at: 1, reason: '' }, 11, NOW).failingSince).toBe(NOW)
    expect(progressAfter(fresh, { kind: 'dead', reason: '' }, 11, NOW).failingSince).toBe(NOW)
    expect(progressAfter(PROGRESS, { kind: 'delivered' }, 11, NOW).failingSince).toBeNull()
  })
})

describe('forwarding as the reference does it (8.5)', () => {
  const judge = (answer: Answer, failures: number): Verdict =>
    judgeAttempt(attempt(answer, { failures }), FORWARDING_PROFILE)

  test('E-171 … E-179 three tries, 3 s and 9 s apart; what a receiver refuses is not offered again', () => {
    expect(judge(BROKEN, 0)).toMatchObject({ kind: 'again', at: NOW + 3000 })
    expect(judge(answered(503), 1)).toMatchObject({ kind: 'again', at: NOW + 9000 })
    expect(judge(BROKEN, 2)).toMatchObject({ kind: 'dead' })
    for (const status of [500, 408, 429]) expect(judge(answered(status), 0).kind).toBe('again')
    for (const status of [400, 404, 410, 422]) expect(judge(answered(status), 0).kind).toBe('dead')
    for (const status of [200, 204]) expect(judge(answered(status), 0).kind).toBe('delivered')
  })

  test('is never switched off', () => {
    const long = attempt(BROKEN, { failingSince: NOW - 100 * DAY })
    expect(judgeAttempt(long, FORWARDING_PROFILE).kind).toBe('again')
  })
})
