import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { DEFAULT_LABEL_OPTIONS, type LabelOptions } from '../options.ts'
import { checkSchedule, labelNow } from './schedule.ts'

const HOUR_MS = 3_600_000

const office: LabelOptions = {
  ...DEFAULT_LABEL_OPTIONS,
  label: 'linux',
  minReady: 1,
  maxTotal: 20,
  schedules: [
    { cron: '0 8 * * 1-5', timeZone: 'Europe/Prague', forMs: 10 * HOUR_MS, override: { minReady: 8 } },
    { cron: '0 0 * * *', timeZone: 'Europe/Prague', forMs: 24 * HOUR_MS, override: { minReady: 2 } },
  ],
}

describe('C8 schedules override the numbers of a label', () => {
  test.each([
    // Monday 2026-11-23; Prague is one hour ahead of UTC
    ['a millisecond before it begins, the next one holds', Date.UTC(2026, 10, 23, 6, 59, 59, 999), 2, 1],
    ['when it begins', Date.UTC(2026, 10, 23, 7), 8, 0],
    ['a millisecond before it ends', Date.UTC(2026, 10, 23, 16, 59, 59, 999), 8, 0],
    ['when it ends', Date.UTC(2026, 10, 23, 17), 2, 1],
    ['on a Sunday', Date.UTC(2026, 10, 22, 9), 2, 1],
    // Daylight saving time: Prague is two hours ahead
    ['in summer an hour earlier by UTC', Date.UTC(2026, 6, 20, 6), 8, 0],
    ['in summer at the end', Date.UTC(2026, 6, 20, 16), 2, 1],
  ])('C8 %s', (_when, now, minReady, schedule) => {
    const seen = labelNow(office, now)
    expect(seen.options.minReady).toBe(minReady)
    expect(seen.schedule).toBe(schedule)
    expect(seen.options.maxTotal, 'what a schedule does not name stays').toBe(20)
  })

  test('C8 between schedules the numbers of the label hold', () => {
    const rare = { ...office, schedules: office.schedules.slice(0, 1) }
    expect(labelNow(rare, Date.UTC(2026, 10, 22, 9))).toEqual({ options: rare, schedule: null })
  })

  test.each([
    ['nonsense', 'Europe/Prague'],
    ['0 8 * * 1-5 2026 7 8', 'Europe/Prague'],
    ['0 8 * * 1-5', 'Europe/Nowhere'],
    ['0 0 30 2 *', 'Europe/Prague'],
  ])('C8 a schedule "%s" in %s is refused by name', (cron, timeZone) => {
    const schedule = { cron, timeZone, forMs: HOUR_MS, override: {} }
    expect(() => checkSchedule(schedule, 'linux')).toThrow(InvalidInputError)
    expect(() => checkSchedule(schedule, 'linux')).toThrow(/label linux/)
  })

  test('C8 a good schedule passes', () => {
    const leapDay = { cron: '0 0 29 2 *', timeZone: 'Europe/Prague', forMs: HOUR_MS, override: {} }
    for (const schedule of [...office.schedules, leapDay]) {
      expect(() => checkSchedule(schedule, 'linux')).not.toThrow()
    }
  })
})
