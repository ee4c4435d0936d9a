import { DomainState, PausedReason } from '@mainstay/libvirt-rpc'
import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import {
  claimedBy,
  clearedOf,
  recordOf,
  rowOf,
  wasMovedAwayFrom,
  type GuestRecord,
  type RecordedMove,
} from './guest-record.ts'
import { lastState, presentState, taskStateOf } from './instance-view.ts'
import { recordSeen, sameRecord } from './seen-guest.ts'

const XML = `<domain><name>g</name><uuid>u</uuid></domain>`
const MOVE: RecordedMove = {
  key: 'k',
  source: 'a',
  target: 'b',
  startedAt: 1,
  run: true,
  done: false,
  sourceCleared: false,
}
const RECORD: GuestRecord = {
  uuid: 'u',
  name: 'g',
  host: 'b',
  state: 'active',
  xml: XML,
  moves: [],
  regardedAsError: false,
  fencedAt: null,
  runAgain: null,
  ranAtHostCpuTimeMs: null,
  startingSince: null,
  seenAt: 1,
}
const running = { state: DomainState.RUNNING, reason: 1 }
const paused = { state: DomainState.PAUSED, reason: PausedReason.USER }
const shutOff = { state: DomainState.SHUTOFF, reason: 1 }

describe('what is kept of a guest that was seen', () => {
  test('its place, state and XML', () => {
    expect(recordSeen(undefined, 'b', { state: running, xml: XML }, 5)).toEqual({ ...RECORD, seenAt: 5 })
  })

  test.each([
    ['done when it runs there', true, running, true],
    ['not done while it does not run there', true, shutOff, false],
    ['done as soon as it is there, when it is to stay stopped', false, shutOff, true],
  ])('its restart is %s', (_what, run, state, done) => {
    const before = { ...RECORD, moves: [{ ...MOVE, run }] }
    expect(recordSeen(before, 'b', { state, xml: XML }, 5).moves).toEqual([{ ...MOVE, run, done }])
  })

  test.each([
    ['still, while it is shut off', shutOff, 5, 3],
    ['still, by a look from before it was fenced', running, 3, 3],
    ['not any more, once it runs', running, 5, null],
  ] as const)('that it ran until it was fenced: %s', (_what, state, at, fencedAt) => {
    const before = { ...RECORD, fencedAt: 3 }
    expect(recordSeen(before, 'b', { state, xml: XML }, at).fencedAt).toBe(fencedAt)
  })

  test.each([
    ['while it is off', shutOff, 5, 3],
    ['while it is there and does not execute', paused, 5, 3],
    ['also by a look from before', running, 3, 3],
    ['and not any more once it executes', running, 5, null],
  ] as const)('that it is being started, %s', (_what, state, at, startingSince) => {
    const before = { ...RECORD, startingSince: 3 }
    expect(recordSeen(before, 'b', { state, xml: XML }, at).startingSince).toBe(startingSince)
  })

  test('that it was created and not let run: it is stopped, and is to run where its host dies', () => {
    const half = recordSeen({ ...RECORD, startingSince: 3 }, 'b', { state: paused, xml: XML }, 5)
    expect(presentState(half, paused)).toBe('stopped')
    expect(lastState(half)).toBe('active')
    expect(presentState({ ...half, moves: [MOVE] }, paused)).toBe('paused')
    expect(presentState(half, { ...paused, reason: PausedReason.IOERROR })).toBe('paused')
    const byHand = recordSeen(RECORD, 'b', { state: paused, xml: XML }, 5)
    expect([presentState(byHand, paused), lastState(byHand)]).toEqual(['paused', 'paused'])
  })

  test('that it is to be regarded as in error, until somebody says otherwise', () => {
    const before = { ...RECORD, regardedAsError: true }
    expect(recordSeen(before, 'b', { state: running, xml: XML }, 5).regardedAsError).toBe(true)
  })

  test('is the same but for the time when nothing changed, and not when anything did', () => {
    expect(sameRecord(RECORD, { ...RECORD, seenAt: 9 })).toBe(true)
    const changes: Partial<GuestRecord>[] = [
      { host: 'c' },
      { state: 'stopped' },
      { name: 'h' },
      { xml: '<domain/>' },
      { moves: [MOVE] },
      { regardedAsError: true },
      { fencedAt: 3 },
      { runAgain: { since: 3, endSeen: false } },
      { startingSince: 3 },
    ]
    for (const change of changes) expect(sameRecord(RECORD, { ...RECORD, ...change })).toBe(false)
  })

  test('survives its row', () => {
    const record = {
      ...RECORD,
      moves: [MOVE],
      fencedAt: 3,
      runAgain: { since: 3, endSeen: true },
      ranAtHostCpuTimeMs: 7,
      startingSince: 4,
    }
    expect(recordOf(rowOf(record))).toEqual(record)
  })

  test.each([
    ['what it says, while it runs', running, 700, 700],
    ['nothing, while it runs on a host that does not tell', running, undefined, null],
    ['what it said when the guest ran last, while that is off', { ...shutOff, reason: 0 }, 3, 500],
  ] as const)('how long its host was up: %s', (_what, state, hostCpuTimeMs, kept) => {
    const before = { ...RECORD, ranAtHostCpuTimeMs: 500 }
    expect(recordSeen(before, 'b', { state, xml: XML, hostCpuTimeMs }, 5).ranAtHostCpuTimeMs).toBe(kept)
  })

  test.each([
    [500, 999, true],
    [500, 1000, false],
    [500, 499, false],
    [null, 1, false],
    [1, null, false],
  ])('with its host up for %s ms and later for %s ms is the same: %s', (before, after, same) => {
    expect(sameRecord({ ...RECORD, ranAtHostCpuTimeMs: before }, { ...RECORD, ranAtHostCpuTimeMs: after })).toBe(same)
  })

  test('that it is to run again, when it is found off after the boot of its host', () => {
    const booted = recordSeen(RECORD, 'b', { state: { ...shutOff, reason: 0 }, xml: XML }, 5)
    expect(booted).toMatchObject({ state: 'stopped', runAgain: { since: 5, endSeen: false } })
    expect(lastState(booted)).toBe('active')
    expect(presentState(booted, shutOff)).toBe('stopped')
  })

  test.each([
    ['no JSON', { definition: '<domain/>' }],
    ['JSON of something else', { definition: '{}' }],
    ['a state that does not exist', { state: 'dancing' }],
  ])('is refused when the row holds %s', (_what, change) => {
    expect(() => recordOf({ ...rowOf(RECORD), ...change })).toThrow(InvalidInputError)
  })
})

describe('a guest that was moved', () => {
  const claimed = claimedBy({ ...RECORD, host: 'a', regardedAsError: true, fencedAt: 3 }, MOVE)

  test('has its place at the target, and what was regarded of it before is over', () => {
    expect(claimed).toEqual({ ...RECORD, moves: [MOVE] })
  })

  test('is not expected at the source until that was seen without it; then it may come home', () => {
    expect(wasMovedAwayFrom(claimed, 'a')).toBe(true)
    expect(wasMovedAwayFrom(claimed, 'b')).toBe(false)
    expect(wasMovedAwayFrom(clearedOf(claimed, 'b'), 'a')).toBe(true)
    expect(wasMovedAwayFrom(clearedOf(claimed, 'a'), 'a')).toBe(false)
  })

  test('remembers its last moves, not all', () => {
    let record: GuestRecord = RECORD
    for (let number = 0; number < 50; number += 1) record = claimedBy(record, { ...MOVE, key: `k${number}` })
    expect(record.moves).toHaveLength(20)
    expect(record.moves.at(-1)?.key).toBe('k49')
  })
})

describe('what is told of a guest', () => {
  test.each([
    ['what its host says', {}, running, 'active'],
    ['unknown while its host says nothing', {}, undefined, 'unknown'],
    ['error when it is regarded so, whatever it does', { regardedAsError: true }, running, 'error'],
    ['unknown after it was stopped only to fence its host', { fencedAt: 3 }, shutOff, 'unknown'],
  ] as const)('now: %s', (_what, change, live, state) => {
    expect(presentState({ ...RECORD, ...change }, live)).toBe(state)
  })

  test.each([
    ['what it did when it was last seen', { state: 'paused' }, 'paused'],
    ['active when it was stopped only to fence its host', { state: 'stopped', fencedAt: 3 }, 'active'],
    ['error when it is regarded so', { regardedAsError: true }, 'error'],
  ] as const)('when its host does not answer: %s', (_what, change, state) => {
    expect(lastState({ ...RECORD, ...change })).toBe(state)
  })

  test.each([
    ['rebuilding while it moves', { moves: [MOVE] }, running, undefined, 'rebuilding'],
    ['what this process does to it', {}, running, 'powering-on', 'powering-on'],
    [
      'powering off while the guest does so by itself',
      {},
      { state: DomainState.SHUTDOWN, reason: 1 },
      undefined,
      'powering-off',
    ],
    ['nothing', { moves: [{ ...MOVE, done: true }] }, running, undefined, null],
  ] as const)('task: %s', (_what, change, live, acting, task) => {
    expect(taskStateOf({ ...RECORD, ...change }, live, acting)).toBe(task)
  })
})
