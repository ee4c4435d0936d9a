import { DomainState, ShutoffReason } from '@mainstay/libvirt-rpc'
import { expect, test } from 'vitest'

import { accountFor, type Shown } from './account-for.ts'
import type { GuestRecord } from './guest-record.ts'

const RAN: GuestRecord = {
  uuid: 'u',
  name: 'web',
  host: 'a',
  state: 'active',
  xml: '<domain/>',
  moves: [],
  regardedAsError: false,
  fencedAt: null,
  runAgain: null,
  ranAtHostCpuTimeMs: 5000,
  startingSince: null,
  seenAt: 1,
}
const off = (reason: number) => ({ state: DomainState.SHUTOFF, reason })
const SHOWN: Shown = { state: off(ShutoffReason.UNKNOWN), destroyed: false, hostCpuTimeMs: 6000 }
const MOVE = { key: 'k', source: 'b', target: 'a', startedAt: 1, run: true, done: false, sourceCleared: false }

test.each<[string, Partial<GuestRecord>, Partial<Shown>, string]>([
  ['ran and is shut off for no known reason', {}, {}, 'unaccounted'],
  ['ran and is not known to its libvirtd', {}, { state: undefined }, 'unaccounted'],
  ['ran and still has a process', {}, { state: { state: DomainState.PAUSED, reason: 1 } }, 'unaccounted'],
  [
    'ran when the host had been up for an unknown time',
    { ranAtHostCpuTimeMs: null },
    { hostCpuTimeMs: 1 },
    'unaccounted',
  ],
  ['ran on a host that does not tell how long it is up', {}, { hostCpuTimeMs: undefined }, 'unaccounted'],
  ['ran, its host as long up as then', {}, { hostCpuTimeMs: 5000 }, 'unaccounted'],
  ['was fenced before, and its libvirtd has forgotten it', { state: 'stopped', fencedAt: 3 }, {}, 'unaccounted'],
  [
    'was found off without a reason before',
    { state: 'stopped', runAgain: { since: 3, endSeen: false } },
    {},
    'unaccounted',
  ],
  [
    'may have been started here by a call without an answer',
    { moves: [MOVE], ranAtHostCpuTimeMs: null },
    {},
    'unaccounted',
  ],
  ['was on its way here to stay stopped', { moves: [{ ...MOVE, run: false }] }, {}, 'idle'],
  ['was off', { state: 'stopped' }, {}, 'idle'],
  ['was destroyed by this fence', {}, { destroyed: true, state: undefined }, 'gone'],
  ['was destroyed by a person', {}, { state: off(ShutoffReason.DESTROYED) }, 'gone'],
  ['shut itself down', {}, { state: off(ShutoffReason.SHUTDOWN) }, 'gone'],
  ['lost its QEMU', {}, { state: off(ShutoffReason.CRASHED) }, 'gone'],
  [
    'was seen to end before its libvirtd forgot why',
    { state: 'stopped', runAgain: { since: 3, endSeen: true } },
    {},
    'gone',
  ],
  ['ran before its host booted', {}, { hostCpuTimeMs: 4999 }, 'gone'],
  ['ran before its host booted, and is gone with its definition', {}, { hostCpuTimeMs: 10, state: undefined }, 'gone'],
])('a guest that %s', (_what, record, shown, wanted) => {
  expect(accountFor({ ...RAN, ...record }, { ...SHOWN, ...shown }).is).toBe(wanted)
})
