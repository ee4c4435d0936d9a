import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { formatSpacedTimestamp, formatTimestamp, formatWholeSeconds, formatZulu, parseTimestamp } from './timestamp.ts'

const NOON = Date.UTC(2026, 10, 21, 12, 34, 56, 789)
const SECOND = Date.UTC(2026, 10, 21, 12, 34, 56)
const MINUTE = Date.UTC(2026, 10, 21, 12, 34)
const HOUR = Date.UTC(2026, 10, 21, 12)
const DAY = Date.UTC(2026, 10, 21)
const YEAR_1 = Date.parse('0001-01-01T00:00:00Z')
const YEAR_10000 = Date.UTC(10_000, 0, 1)

describe('reading a time leniently (ha-api 8.2)', () => {
  test.each([
    ['2026-11-21T12:34:56.789Z', NOON],
    ['2026-11-21T12:34:56.789000', NOON],
    ['2026-11-21 12:34:56.789', NOON],
    ['2026-11-21T12:34:56,789', NOON],
    ['2026-11-21T12:34:56.789123456', NOON],
    ['2026-11-21T12:34:56.78912345678901', NOON],
    ['2026-11-21T12:34:56.7', SECOND + 700],
    ['2026-11-21T12:34:56', SECOND],
    ['2026-11-21t12:34:56z', SECOND],
    ['2026-11-21T12:34', MINUTE],
    ['2026-11-21T12', HOUR],
    ['2026-11-21', DAY],
    ['2026-11', Date.UTC(2026, 10, 1)],
    ['2026', Date.UTC(2026, 0, 1)],
    ['20261121T123456Z', SECOND],
    ['20261121T123456.789', NOON],
    ['20261121 1234', MINUTE],
    ['20261121', DAY],
    ['2026-11-21T14:34:56+02:00', SECOND],
    ['2026-11-21T14:34:56+0200', SECOND],
    ['2026-11-21T14:34:56+02', SECOND],
    ['2026-11-21T07:04:56-05:30', SECOND],
    ['2026-11-21 12:34:56 Z', SECOND],
    ['  2026-11-21T12:34:56Z  ', SECOND],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
    ['0001-01-01', YEAR_1],
    ['0001-01-01T12:00:00+12:00', YEAR_1],
    ['0096-02-29', Date.parse('0096-02-29T00:00:00Z')],
    ['9999-12-31T23:59:59.999Z', YEAR_10000 - 1],
    ['9999-12-31T11:59:59.999-12:00', YEAR_10000 - 1],
  ])('%s', (text, expected) => {
    expect(parseTimestamp(text)).toBe(expected)
  })

  test.each([
    '',
    'yesterday',
    '2026-13-01',
    '2026-00-10',
    '2026-11-31',
    '2025-02-29',
    '2026-11-21T24:00:00',
    '2026-11-21T12:60:00',
    '2026-11-21T12:34:60',
    '2026-11-21T12:34:56+24:00',
    '2026-11-21T12:34:56+02:60',
    '2026-11-21T12:34:56X',
    '2026-11-21T',
    '2026-11-21T12:34:56.',
    '1763728496',
    '2026-11-21T12:34:56Z; drop table hosts',
    '２０２６-11-21',
    '0000-12-31',
    '0001-01-01T11:59:59+12:00',
    '9999-12-31T12:00:00-12:00',
    '9999-12-31T23:59:59-12:00',
  ])('refuses %j', (text) => {
    expect(parseTimestamp(text)).toBeUndefined()
  })

  test('reads back whatever is written', () => {
    const times = fc.integer({ min: YEAR_1, max: YEAR_10000 - 1 })
    fc.assert(
      fc.property(times, (ms) => {
        for (const format of [formatTimestamp, formatSpacedTimestamp, formatZulu]) {
          expect(parseTimestamp(format(ms))).toBe(ms)
        }
        expect(parseTimestamp(formatWholeSeconds(ms))).toBe(Math.floor(ms / 1000) * 1000)
      }),
    )
  })

  test('takes no longer for a long text', () => {
    expect(parseTimestamp(`2026-11-21T12:34:56.${'1'.repeat(100_000)}X`)).toBeUndefined()
  })
})

test.each([
  [formatTimestamp, '2026-11-21T12:34:56.789000'],
  [formatWholeSeconds, '2026-11-21T12:34:56.000000'],
  [formatSpacedTimestamp, '2026-11-21 12:34:56.789000'],
  [formatZulu, '2026-11-21T12:34:56.789Z'],
])('%o writes %s (ha-api 5.2, 16, 18; SND-3)', (format, text) => {
  expect(format(NOON)).toBe(text)
})
