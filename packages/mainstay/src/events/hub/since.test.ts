import { describe, expect, test } from 'vitest'

import { parseSince, startFrom, type Since, type Start } from './since.ts'

describe('since (event-stream.md 11.3)', () => {
  test.each<[string | null, Since]>([
    [null, { kind: 'latest' }],
    ['', { kind: 'latest' }],
    ['latest', { kind: 'latest' }],
    ['earliest', { kind: 'earliest' }],
    ['e1:0', { kind: 'cursor', epoch: 'e1', seq: 0 }],
    ['a:b:17', { kind: 'cursor', epoch: 'a:b', seq: 17 }],
    ['2026-01-01T00:00:00Z', { kind: 'time', epochMs: Date.UTC(2026, 0, 1) }],
    ['2026-01-01T02:00:00+02:00', { kind: 'time', epochMs: Date.UTC(2026, 0, 1) }],
    // As it comes out of a query in which the plus was not escaped.
    ['2026-01-01T02:00:00 02:00', { kind: 'time', epochMs: Date.UTC(2026, 0, 1) }],
  ])('R10 %s', (text, since) => {
    expect(parseSince(text)).toEqual(since)
  })

  test.each(['yesterday', 'e1:', ':1', 'e1:-1', 'e1:01', 'e1:1.5', 'e1:9007199254740993', '2026-01-01'])(
    'R10 refuses %s',
    (text) => {
      expect(() => parseSince(text)).toThrow(/since must be/)
    },
  )
})

describe('where a stream begins (R10, R11)', () => {
  const extent = { epoch: 'e1', oldest: 11, head: 50 }
  const replay = { reset: null, resumed: false, replays: true }

  test.each<[string, Since, Start]>([
    ['news only, from where this node stands', { kind: 'latest' }, { ...replay, position: 48, replays: false }],
    ['everything', { kind: 'earliest' }, { ...replay, position: 10 }],
    ['a time', { kind: 'time', epochMs: 0 }, { ...replay, position: 20 }],
    ['a cursor', { kind: 'cursor', epoch: 'e1', seq: 20 }, { ...replay, position: 20, resumed: true }],
    ['the head', { kind: 'cursor', epoch: 'e1', seq: 50 }, { ...replay, position: 50, resumed: true }],
    ['just before the oldest', { kind: 'cursor', epoch: 'e1', seq: 10 }, { ...replay, position: 10, resumed: true }],
    ['an old cursor', { kind: 'cursor', epoch: 'e1', seq: 9 }, { ...replay, position: 10, reset: 'cursor_expired' }],
    [
      'a cursor of the future',
      { kind: 'cursor', epoch: 'e1', seq: 51 },
      { ...replay, position: 10, reset: 'cursor_ahead' },
    ],
    ['another history', { kind: 'cursor', epoch: 'e0', seq: 20 }, { ...replay, position: 10, reset: 'epoch_changed' }],
  ])('R11 %s', (_what, since, expected) => {
    expect(startFrom(since, extent, { head: 48, seqBefore: 20 })).toEqual(expected)
  })

  test('R10 a time before everything that is left begins with the oldest', () => {
    expect(startFrom({ kind: 'time', epochMs: 0 }, extent, { head: 50, seqBefore: 3 }).position).toBe(10)
  })

  test('R10 an empty log has a beginning', () => {
    const empty = { epoch: 'e1', oldest: 1, head: 0 }
    expect(startFrom({ kind: 'earliest' }, empty, { head: 0, seqBefore: 0 }).position).toBe(0)
    expect(startFrom({ kind: 'cursor', epoch: 'e1', seq: 0 }, empty, { head: 0, seqBefore: 0 }).reset).toBeNull()
  })
})
