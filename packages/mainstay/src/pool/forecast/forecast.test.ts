import { describe, expect, test } from 'vitest'

import { SeededRandom, type Random } from '../../core/random.ts'
import { backTest, type BackTestOptions, type BackTestReport, type RecordedUse } from './back-test.ts'
import {
  DEFAULT_PROFILE_OPTIONS,
  emptyProfile,
  trendOf,
  expectedDemand,
  observeDemand,
  type DemandProfile,
} from './demand-profile.ts'
import { DEFAULT_FORECAST_OPTIONS, forecastIdle } from './idle-forecast.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WEEK_MS = 7 * DAY_MS
/** A Monday, 0:00 UTC. */
const MONDAY = Date.UTC(2026, 10, 23)

/** Office hours with a rush at their beginning, little at night, less at the weekend; the same each week but for chance. */
function usesPerHour(at: number): number {
  const hour = Math.floor((at % DAY_MS) / HOUR_MS)
  const weekday = Math.floor((at - MONDAY) / DAY_MS) % 7
  if (weekday >= 5) return 1
  if (hour >= 8 && hour < 10) return 60
  return hour >= 10 && hour < 18 ? 20 : 1
}

/** Arrivals by chance with that rate, as a Poisson process. */
function record(weeks: number, random: Random): RecordedUse[] {
  const uses: RecordedUse[] = []
  for (let at = MONDAY; at < MONDAY + weeks * WEEK_MS;) {
    at += Math.max(1, Math.round((-Math.log(1 - random.next()) * HOUR_MS) / usesPerHour(at)))
    uses.push({ at, holdMs: 600_000 })
  }
  return uses
}

const POOL: BackTestOptions = { spawnMs: 300_000, tickMs: 60_000, scaleDownDelayMs: 300_000 }

/** Learns from the first weeks and is judged by the last. */
function judge(weeks: number, seed: number): { still: BackTestReport; forecast: BackTestReport } {
  const all = record(weeks, new SeededRandom(seed))
  const last = all.filter(({ at }) => at >= MONDAY + (weeks - 1) * WEEK_MS)
  let profile: DemandProfile = emptyProfile()
  for (const { at } of all.slice(0, all.length - last.length)) profile = observeDemand(profile, at, 1)
  const still = backTest(last, () => 4, POOL)
  const options = { ...DEFAULT_FORECAST_OPTIONS, leadMs: POOL.spawnMs + POOL.tickMs }
  const forecast = backTest(
    last,
    (now) => forecastIdle(profile, now, { minReady: 0, maxReady: 40 }, options).idle,
    POOL,
    ({ at }) => void (profile = observeDemand(profile, at, 1)),
  )
  return { still, forecast }
}

describe('C13 demand is learnt by the time of the week', () => {
  const options = { ...DEFAULT_PROFILE_OPTIONS, slotMs: HOUR_MS }

  test('C13 what came at this time of earlier weeks is expected again, the newest weeks counting more', () => {
    let profile = emptyProfile(options)
    for (const [week, count] of [8, 8, 16].entries()) {
      for (let hour = 7; hour <= 11; hour += 1) {
        profile = observeDemand(profile, MONDAY + week * WEEK_MS + hour * HOUR_MS, count, options)
      }
    }
    profile = observeDemand(profile, MONDAY + 3 * WEEK_MS, 0, options)
    const nine = MONDAY + 3 * WEEK_MS + 9 * HOUR_MS
    const asUsual = { ...profile, recent: { seen: 0, expected: 0 } }
    expect(expectedDemand(asUsual, nine, nine + HOUR_MS, options)).toBeCloseTo(8 + 0.4 * 8, 6)
    expect(expectedDemand(asUsual, nine + 9 * HOUR_MS, nine + 10 * HOUR_MS, options)).toBe(0)
    expect(expectedDemand(asUsual, nine, nine + HOUR_MS / 4, options), 'a part of a slot').toBeCloseTo(11.2 / 4, 6)
    const edge = expectedDemand(asUsual, nine + 3 * HOUR_MS, nine + 4 * HOUR_MS, options)
    expect(edge, 'beside a busy hour a little').toBeGreaterThan(0)
    expect(edge).toBeLessThan(11.2)
  })

  test('C13 what was never seen is not guessed', () => {
    expect(expectedDemand(emptyProfile(options), MONDAY, MONDAY + 1, options)).toBeNull()
    expect(forecastIdle(emptyProfile(), MONDAY, { minReady: 2, maxReady: 9 })).toMatchObject({
      idle: 2,
      expected: null,
    })
  })

  test('C13 a day on which more is asked for than usual raises what is expected next', () => {
    let profile: DemandProfile = { ...emptyProfile(options), expected: emptyProfile(options).expected.map(() => 4) }
    for (let hour = 0; hour < 6; hour += 1) profile = observeDemand(profile, MONDAY + hour * HOUR_MS, 12, options)
    profile = observeDemand(profile, MONDAY + 6 * HOUR_MS, 0, options)
    expect(trendOf(profile, options)).toBeGreaterThan(1.5)
    expect(trendOf(profile, options)).toBeLessThan(3)
  })

  test.each([
    ['nothing is expected', 0, 0, 10, 0],
    ['never below min_ready', 0, 3, 10, 3],
    ['what is expected and two deviations', 4, 0, 10, 8],
    ['never above max_ready', 100, 0, 10, 10],
    ['no room without max_ready', 100, 2, 0, 2],
  ])('C13 %s', (_what, expected, minReady, maxReady, idle) => {
    const profile = { ...emptyProfile(), expected: emptyProfile().expected.map(() => expected * 3) }
    expect(forecastIdle(profile, MONDAY, { minReady, maxReady }).idle).toBe(idle)
  })
})

describe('C13 the back-test', () => {
  test.each([1, 2, 3])(
    'C13 on recorded periodic demand the 95th percentile of the wait falls at least by half at no more idle machine hours (seed %i)',
    (seed) => {
      const { still, forecast } = judge(5, seed)
      expect(forecast.uses).toBe(still.uses)
      expect(still.waitMs.p95, 'with a constant minimum they wait').toBeGreaterThan(60_000)
      expect(forecast.waitMs.p95).toBeLessThanOrEqual(still.waitMs.p95 / 2)
      expect(forecast.idleVmHours).toBeLessThanOrEqual(still.idleVmHours)
    },
  )

  test('C13 counts what it should: one machine kept idle, one use each hour', () => {
    const uses = Array.from({ length: 24 }, (_, hour) => ({ at: MONDAY + hour * HOUR_MS, holdMs: 1 }))
    const report = backTest(uses, () => 1, POOL)
    expect(report).toMatchObject({ uses: 24, waitMs: { mean: 0, max: 0 }, spawned: 25 })
    // Of each hour the five minutes are missing in which the next one is made.
    expect(report.idleVmHours).toBeCloseTo(23 * (55 / 60), 0)
    expect(backTest(uses, () => 0, POOL)).toMatchObject({ waitMs: { p50: 300_000, max: 300_000 }, idleVmHours: 0 })
  })
})
