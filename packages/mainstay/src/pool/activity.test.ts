import { describe, expect, test } from 'vitest'

import { activityText, upcomingTexts } from './activity.ts'
import { newDescriptor, type VmDescriptor } from './descriptor.ts'
import { groupRules, type GroupRules } from './options.ts'
import { VM_STATES } from './state.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const SINCE = NOW - 90_000
const USED = { boundToUser: 'alice', sandbox: 's', worker: 'w-1', taskId: 't-1', leaseExpiresAt: NOW + 40_000 }

function machine(fields: Partial<VmDescriptor> & Pick<VmDescriptor, 'state'>): VmDescriptor {
  return newDescriptor({ name: 'vm-1', group: 'g', createdAt: SINCE, stateSince: SINCE, provider: 'sim', ...fields })
}

function next(fields: Partial<VmDescriptor> & Pick<VmDescriptor, 'state'>, rules: Partial<GroupRules> = {}): string[] {
  return upcomingTexts(machine(fields), groupRules({ id: 'g', ...rules }), { serverStartedAt: null, now: NOW })
}

describe('C14 what a machine is doing', () => {
  test.each<[Partial<VmDescriptor> & Pick<VmDescriptor, 'state'>, string]>([
    [{ state: 'requested' }, 'is to be made by the provider sim'],
    [{ state: 'building' }, 'is being made by the provider sim'],
    [{ state: 'got_ip', ip: '192.0.2.1' }, 'is there (192.0.2.1) and waits for its first check'],
    [{ state: 'check_health' }, 'is being checked'],
    [
      { state: 'check_health_failed', checkFails: 2 },
      'failed its last check; 2 in a row failed, and more than 2 end it',
    ],
    [{ state: 'ready' }, 'is ready for anybody'],
    [{ state: 'ready', boundToUser: 'alice', sandbox: 's' }, 'is ready for alice in the sandbox s, who used it before'],
    [{ state: 'in_use', ...USED }, 'is used by w-1 for alice in the sandbox s, task t-1'],
    [{ state: 'resetting', boundToUser: 'alice' }, 'is being made clean after its use for alice'],
    [{ state: 'held', holdBy: 'root', holdReason: 'core dump' }, 'is kept as it is for root (core dump)'],
    [{ state: 'drained' }, 'is set aside and not handed out'],
    [{ state: 'standby' }, 'is stopped and stands by'],
    [{ state: 'starting' }, 'is being started from stand-by'],
    [
      { state: 'terminating', terminateReason: 'too old', terminateAttempts: 1 },
      'is being destroyed (too old); the provider sim was asked once',
    ],
    [{ state: 'stuck', terminateAttempts: 5 }, 'could not be destroyed: the provider sim was asked 5 times'],
  ])('C14 %o', (fields, doing) => {
    const text = activityText(machine(fields), groupRules({ id: 'g' }), NOW)
    expect(text).toBe(`The machine vm-1 ${doing}, since 2026-01-01T11:58:30.000Z, for 1 min 30 s.`)
  })
})

describe('C14 what comes next for it, and when', () => {
  test.each(VM_STATES)('C14 there is always something to say of a machine that is %s', (state) => {
    expect(next({ state, ...(state === 'in_use' ? USED : {}) })).not.toEqual([])
  })

  test('C14 a leased one: its lease and grace, and what is done after its use', () => {
    expect(next({ state: 'in_use', ...USED })).toEqual([
      'at 2026-01-01T12:01:10.001Z, in 1 min 10 s: it is taken back, unless w-1 shows life by then (its lease, 30.0 s of grace)',
      'when it is given back: it waits 2 min 00 s for alice, then it is destroyed',
    ])
  })

  test.each<[Partial<VmDescriptor>, Partial<GroupRules>, string]>([
    [{}, { dirtyPolicy: 'discard' }, 'it is destroyed, because its group allows one use'],
    [{}, { dirtyPolicy: 'reset' }, 'it is made clean again'],
    [{ drain: 'terminate' }, {}, 'it is destroyed, because it is drained'],
    [{ drain: 'keep' }, {}, 'it is set aside'],
    [{}, { draining: 'terminate' }, 'it is destroyed, because it is drained'],
    [{ holdUntil: NOW }, {}, 'it is kept as it is until 2026-01-01T12:00:00.000Z'],
  ])('C14 after its use, %o %o: %s', (fields, rules, text) => {
    expect(next({ state: 'in_use', ...USED, ...fields }, rules).at(-1)).toBe(`when it is given back: ${text}`)
  })

  test('C14 one that waits for its owner: the next check, and its end', () => {
    const released = { boundToUser: 'alice', lastRelease: SINCE, checkPassedAt: SINCE, nextCheckAt: NOW + 1000 }
    expect(next({ state: 'ready', ...released })).toEqual([
      'at 2026-01-01T12:00:01.000Z, in 1.0 s: it is checked',
      'at 2026-01-01T12:00:30.001Z, in 30.0 s: it is destroyed, unless alice wants it again by then',
      'with the next request that may have it: it is handed out',
    ])
  })

  test('C14 one that is overdue', () => {
    expect(next({ state: 'terminating', terminatingSince: SINCE })).toEqual([
      'at 2026-01-01T11:58:30.000Z, which is now: its provider is asked to destroy it',
    ])
  })
})
