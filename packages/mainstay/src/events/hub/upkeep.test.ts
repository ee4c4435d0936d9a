import { describe, expect, test } from 'vitest'

import { DEFAULT_HUB_OPTIONS as OPTIONS } from './options.ts'
import { decideUpkeep, type Upkeep, type UpkeepView } from './upkeep.ts'

const NOW = 1_000_000
const WALL = Date.UTC(2026, 0, 1)

const quiet: UpkeepView = {
  lastFrameAt: NOW,
  lastCursorAt: NOW,
  movedSinceCursor: false,
  unsentBytes: 0,
  lastProgressAt: NOW,
  behind: 0,
  allowedBehind: 0,
  expiresAtMs: null,
  warnedOfExpiry: false,
}

describe('what is due for a subscriber', () => {
  test.each<[string, Partial<UpkeepView>, Upkeep[]]>([
    ['nothing', {}, []],
    ['R33 a heartbeat after 25 s of silence', { lastFrameAt: NOW - 25_000 }, ['heartbeat']],
    ['R33 none before', { lastFrameAt: NOW - 24_999 }, []],
    [
      'R13 a bookmark after 10 s in which the place moved',
      { lastCursorAt: NOW - 10_000, movedSinceCursor: true },
      ['bookmark'],
    ],
    ['R13 none while it has not moved', { lastCursorAt: NOW - 20_000 }, []],
    [
      'R13 a bookmark is sign enough',
      { lastFrameAt: NOW - 25_000, lastCursorAt: NOW - 25_000, movedSinceCursor: true },
      ['bookmark'],
    ],
    ['R33 nothing to whom does not read', { lastFrameAt: NOW - 25_000, unsentBytes: 1 }, []],
    ['R21 the end after 30 s without progress', { unsentBytes: 1, lastProgressAt: NOW - 30_000 }, ['stuck']],
    ['R21 not before', { unsentBytes: 1, lastProgressAt: NOW - 29_999 }, []],
    ['R21 not without anything to send', { lastProgressAt: NOW - 90_000 }, []],
    ['R21 the end beyond 100,000 events', { behind: 100_001 }, ['too-far-behind']],
    ['R21 not at 100,000', { behind: 100_000 }, []],
    ['R21 a long replay that was asked for is not behind', { behind: 700_000, allowedBehind: 650_000 }, []],
    ['R21 but falls behind as well', { behind: 750_001, allowedBehind: 650_000 }, ['too-far-behind']],
    ['R30 a warning 60 s before the end', { expiresAtMs: WALL + 60_000 }, ['warn-of-expiry']],
    ['R30 not before', { expiresAtMs: WALL + 60_001 }, []],
    ['R30 one only', { expiresAtMs: WALL + 1000, warnedOfExpiry: true }, []],
    ['R30 the end when the token expires', { expiresAtMs: WALL, warnedOfExpiry: true }, ['expired']],
  ])('%s', (_what, view, expected) => {
    expect(decideUpkeep({ ...quiet, ...view }, NOW, WALL, OPTIONS)).toEqual(expected)
  })
})
