import { assert, constantFrom, double, integer, property, record, array } from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  DEFAULT_PROVIDER_HEALTH_OPTIONS as OPTIONS,
  NEW_PROVIDER_HEALTH,
  attemptBegan,
  attemptFailed,
  attemptSucceeded,
  enabledAgain,
  openForMs,
  successRateAt,
  type AttemptFailure,
  type ProviderHealth,
} from './provider-health.ts'

const CLASSES = ['quota', 'capacity', 'rate_limit', 'authentication', 'invalid', 'transient'] as const

function fail(health: ProviderHealth, kind: AttemptFailure['class'], change: Partial<AttemptFailure> = {}) {
  const failure = { now: 1000, startedAt: 1000, class: kind, message: `a ${kind} error`, chance: 0, ...change }
  return attemptFailed(health, failure, OPTIONS)
}

function failTimes(times: number, kind: AttemptFailure['class']): ProviderHealth {
  let health = NEW_PROVIDER_HEALTH
  for (let attempt = 0; attempt < times; attempt += 1) health = fail(health, kind)
  return health
}

describe('the circuit of a provider (C11)', () => {
  test.each([
    ['quota', 1, true],
    ['capacity', 1, true],
    ['transient', 2, false],
    ['transient', 3, true],
    ['rate_limit', 10, false],
    ['authentication', 10, false],
    ['invalid', 10, false],
  ] as const)('after %s refused %i times in a row it is open: %s', (kind, times, open) => {
    expect(failTimes(times, kind).openUntil > 1000).toBe(open)
  })

  test.each([
    [1, 0, 30_000],
    [1, 0.999, 44_985],
    [2, 0, 60_000],
    [5, 0, 480_000],
    [7, 0, 1_200_000],
    [7, 0.999, 1_799_400],
    [60, 0, 1_200_000],
    [5000, 0.5, 1_500_000],
  ])('the %i. time, at chance %f, it stays open for %i ms', (opens, chance, ms) => {
    expect(openForMs(opens, chance, OPTIONS)).toBeCloseTo(ms, 0)
  })

  test('stays open between 30 s and 30 min whatever happens', () => {
    assert(
      property(integer({ min: 1, max: 10_000 }), double({ min: 0, max: 0.999, noNaN: true }), (opens, chance) => {
        const ms = openForMs(opens, chance, OPTIONS)
        expect(ms).toBeGreaterThanOrEqual(30_000)
        expect(ms).toBeLessThanOrEqual(1_800_000)
      }),
    )
  })

  test('opens longer after each probe that failed, and closes after one that succeeded', () => {
    let health = fail(NEW_PROVIDER_HEALTH, 'quota', { now: 0, startedAt: 0 })
    expect(health).toMatchObject({ opens: 1, openUntil: 30_000 })
    health = fail(attemptBegan(health, 30_000), 'transient', { now: 31_000, startedAt: 30_000 })
    expect(health).toMatchObject({ opens: 2, openUntil: 31_000 + 60_000, probingSince: null })
    health = attemptSucceeded(attemptBegan(health, 91_000), { now: 92_000, startedAt: 91_000 }, OPTIONS)
    expect(health).toMatchObject({ opens: 0, openUntil: 0, probingSince: null, failuresInRow: 0 })
  })

  test('a burst that was refused together opens it once', () => {
    let health = NEW_PROVIDER_HEALTH
    for (let each = 0; each < 10; each += 1) health = fail(health, 'quota', { now: 100 + each, startedAt: 50 })
    expect(health).toMatchObject({ opens: 1, openUntil: 100 + 30_000 })
  })

  test('a success that began before it opened does not close it', () => {
    const open = fail(NEW_PROVIDER_HEALTH, 'quota', { now: 100, startedAt: 50 })
    const health = attemptSucceeded(open, { now: 200, startedAt: 60 }, OPTIONS)
    expect(health).toMatchObject({ opens: 1, openUntil: open.openUntil })
  })

  test('a provider that says how long to wait is believed', () => {
    expect(fail(NEW_PROVIDER_HEALTH, 'capacity', { retryAfterMs: 100_000 }).openUntil).toBe(101_000)
    expect(fail(NEW_PROVIDER_HEALTH, 'rate_limit', { retryAfterMs: 7000 }).nextAttemptAt).toBe(8000)
  })
})

describe('how fast a provider is asked (C11)', () => {
  test('too many requests keep attempts apart, longer each time, and successes bring them together again', () => {
    let health = NEW_PROVIDER_HEALTH
    const intervals: number[] = []
    for (let times = 0; times < 10; times += 1) {
      health = fail(health, 'rate_limit')
      intervals.push(health.intervalMs)
    }
    expect(intervals).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000])
    expect(attemptBegan(health, 5000).nextAttemptAt).toBe(305_000)
    for (let times = 0; times < 9; times += 1) health = attemptSucceeded(health, { now: 1, startedAt: 0 }, OPTIONS)
    expect(health).toMatchObject({ intervalMs: 0, nextAttemptAt: 0 })
  })
})

describe('the moving averages (C11)', () => {
  test('take a fifth of the newest attempt', () => {
    const once = fail(NEW_PROVIDER_HEALTH, 'transient', { now: 0, startedAt: 0 })
    expect(once.successRate).toBeCloseTo(0.8)
    expect(fail(once, 'transient', { now: 0, startedAt: 0 }).successRate).toBeCloseTo(0.64)
    const made = attemptSucceeded(once, { now: 0, startedAt: 0 }, OPTIONS)
    expect(made.successRate).toBeCloseTo(0.84)
    const slow = attemptSucceeded(NEW_PROVIDER_HEALTH, { now: 1000, startedAt: 0 }, OPTIONS)
    expect(slow.startMs).toBe(1000)
    expect(attemptSucceeded(slow, { now: 6000, startedAt: 0 }, OPTIONS).startMs).toBe(2000)
  })

  test('forgive half of what is missing in ten minutes without attempts', () => {
    const health = { ...NEW_PROVIDER_HEALTH, successRate: 0.2, updatedAt: 0 }
    expect(successRateAt(health, 0, OPTIONS)).toBeCloseTo(0.2)
    expect(successRateAt(health, 600_000, OPTIONS)).toBeCloseTo(0.6)
    expect(successRateAt(health, 1_200_000, OPTIONS)).toBeCloseTo(0.8)
  })

  test('are not touched by what is not the provider’s fault', () => {
    for (const kind of ['invalid', 'rate_limit', 'authentication'] as const) {
      expect(fail(NEW_PROVIDER_HEALTH, kind)).toMatchObject({ successRate: 1, failuresInRow: 0, opens: 0 })
    }
  })
})

test('refused credentials disable a provider until a person enables it', () => {
  const disabled = fail(NEW_PROVIDER_HEALTH, 'authentication')
  expect(disabled.disabledBecause).toBe('a authentication error')
  expect(attemptSucceeded(disabled, { now: 1, startedAt: 0 }, OPTIONS).disabledBecause).not.toBeNull()
  expect(enabledAgain(disabled).disabledBecause).toBeNull()
})

test('whatever happens, the figures stay within their bounds', () => {
  const event = record({
    kind: constantFrom('success', ...CLASSES),
    afterMs: integer({ min: 0, max: 3_600_000 }),
    tookMs: integer({ min: 0, max: 600_000 }),
    chance: double({ min: 0, max: 0.999, noNaN: true }),
  })
  assert(
    property(array(event, { maxLength: 60 }), (events) => {
      let health: ProviderHealth = NEW_PROVIDER_HEALTH
      let now = 0
      for (const { kind, afterMs, tookMs, chance } of events) {
        const startedAt = now + afterMs
        now = startedAt + tookMs
        health = attemptBegan(health, startedAt)
        health =
          kind === 'success'
            ? attemptSucceeded(health, { now, startedAt }, OPTIONS)
            : fail(health, kind, { now, startedAt, chance })
        expect(health.successRate).toBeGreaterThanOrEqual(0)
        expect(health.successRate).toBeLessThanOrEqual(1)
        expect(health.openUntil - now).toBeLessThanOrEqual(OPTIONS.openMaxMs)
        expect(health.intervalMs).toBeLessThanOrEqual(OPTIONS.slowMaxMs)
        expect(health.opens > 0).toBe(health.openUntil > 0)
      }
    }),
  )
})
