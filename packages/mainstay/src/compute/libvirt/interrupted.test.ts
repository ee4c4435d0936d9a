import { DomainState, ShutoffReason, type DomainStateAndReason } from '@mainstay/libvirt-rpc'
import { describe, expect, test } from 'vitest'

import type { GuestRecord } from './guest-record.ts'
import { endOf, runAgainAfter } from './interrupted.ts'

const off = (reason: number): DomainStateAndReason => ({ state: DomainState.SHUTOFF, reason })
const RUNNING = { state: DomainState.RUNNING, reason: 1 }
const PAUSED = { state: DomainState.PAUSED, reason: 1 }
const RAN: GuestRecord = {
  uuid: 'u',
  name: 'g',
  host: 'a',
  state: 'active',
  xml: '<domain/>',
  moves: [],
  regardedAsError: false,
  fencedAt: null,
  runAgain: null,
  ranAtHostCpuTimeMs: null,
  startingSince: null,
  seenAt: 1,
}
const MOVE = { key: 'k', source: 'b', target: 'a', startedAt: 1, run: true, done: false, sourceCleared: false }

describe('the end of a guest, by what its host says', () => {
  test.each([
    ['running', RUNNING, 'runs'],
    ['paused', PAUSED, 'runs'],
    ['crashed, its process preserved', { state: DomainState.CRASHED, reason: 1 }, 'runs'],
    ['after the boot of its host', off(ShutoffReason.UNKNOWN), 'unexplained'],
    ['for a reason that a newer libvirt has', off(99), 'unexplained'],
    ['shut down by itself', off(ShutoffReason.SHUTDOWN), 'deliberate'],
    ['destroyed by a person', off(ShutoffReason.DESTROYED), 'deliberate'],
    ['migrated away', off(ShutoffReason.MIGRATED), 'deliberate'],
    ['saved', off(ShutoffReason.SAVED), 'deliberate'],
    ['reverted to a snapshot', off(ShutoffReason.FROM_SNAPSHOT), 'deliberate'],
    ['its QEMU died', off(ShutoffReason.CRASHED), 'broken'],
    ['its start failed', off(ShutoffReason.FAILED), 'broken'],
    ['its libvirtd lost it and ended it', off(ShutoffReason.DAEMON), 'broken'],
  ] as const)('%s: %s → %s', (_what, seen, end) => {
    expect(endOf(seen)).toBe(end)
  })
})

describe('a guest is to run again', () => {
  const since3 = { since: 3, endSeen: false }
  test.each<[string, Partial<GuestRecord> | undefined, DomainStateAndReason, unknown]>([
    ['its host crashed and booted', {}, off(0), { since: 5, endSeen: false }],
    ['its QEMU died', {}, off(3), { since: 5, endSeen: true }],
    ['it was paused when its host died', { state: 'paused' }, off(0), { since: 5, endSeen: false }],
    ['still, when it is looked at again', { state: 'stopped', runAgain: since3 }, off(0), since3],
    [
      'its QEMU died, and later its host',
      { state: 'stopped', runAgain: { since: 3, endSeen: true } },
      off(0),
      { since: 3, endSeen: true },
    ],
    ['still, when it was only fenced', { state: 'stopped', fencedAt: 4, runAgain: since3 }, off(2), since3],
    ['not: it runs', { state: 'stopped', runAgain: since3 }, RUNNING, null],
    ['not: somebody stopped it', {}, off(2), null],
    ['not: somebody started and stopped it since', { state: 'stopped', runAgain: since3 }, off(1), null],
    ['not: it was off before', { state: 'stopped' }, off(0), null],
    ['not: its start failed, and it was off before', { state: 'stopped' }, off(6), null],
    ['not: it is new', undefined, off(0), null],
    ['not: it is still on its way here', { moves: [MOVE] }, off(0), null],
  ])('%s', (_what, change, seen, wanted) => {
    expect(runAgainAfter(change && { ...RAN, ...change }, seen, 5)).toEqual(wanted)
  })
})
