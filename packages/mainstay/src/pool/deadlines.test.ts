import { describe, expect, test } from 'vitest'

import { deadlines, dueKinds, nextDeadline } from './deadlines.ts'
import { newDescriptor, type VmDescriptor } from './descriptor.ts'
import { groupRules } from './options.ts'
import type { VmState } from './state.ts'

const RULES = groupRules({
  id: 'g',
  launchTimeoutMs: 1000,
  checkMaxTimeMs: 200,
  dirtyTimeoutMs: 300,
  resetTimeoutMs: 400,
  leaseMs: 50,
  graceMs: 30,
  reattachMs: 500,
})

const vm = (state: VmState, fields: Partial<VmDescriptor> = {}): VmDescriptor =>
  newDescriptor({ name: 'n', group: 'g', state, createdAt: 10_000, ...fields })

describe('when a machine has to be looked at (vm-pool.md C2)', () => {
  test.each<readonly [string, VmDescriptor, string]>([
    ['requested', vm('requested'), 'launch 11001'],
    ['building for long, since the request', vm('building', { stateSince: 10_900 }), 'launch 11001'],
    ['started from stand-by', vm('starting', { stateSince: 20_000 }), 'launch 21001'],
    ['never checked', vm('got_ip'), 'check 10000'],
    ['failed, to be checked later', vm('check_health_failed', { nextCheckAt: 10_500 }), 'check 10500'],
    ['being checked', vm('check_health', { checkStartedAt: 10_100 }), 'check_overdue 10301'],
    ['checked', vm('ready', { checkPassedAt: 10_100, nextCheckAt: 10_220 }), 'check 10220'],
    [
      'dirty and checked',
      vm('ready', { checkPassedAt: 10_100, nextCheckAt: 10_220, boundToUser: 'bob', lastRelease: 10_150 }),
      'check 10220, dirty 10451',
    ],
    [
      'bound and never given back',
      vm('ready', { checkPassedAt: 10_100, nextCheckAt: 10_220, boundToUser: 'bob' }),
      'check 10220',
    ],
    ['in use', vm('in_use', { leaseExpiresAt: 10_050 }), 'lease 10081'],
    ['waiting for its task', vm('in_use', { leaseExpiresAt: 10_050, detachedAt: 10_081 }), 'lease 10581'],
    ['to be taken back', vm('in_use', { leaseExpiresAt: 10_050, preemptAt: 10_020 }), 'lease 10081, preempt 10020'],
    ['in use since before this pool', vm('in_use'), ''],
    ['being reset', vm('resetting', { stateSince: 12_000 }), 'reset_overdue 12401'],
    ['held', vm('held', { holdUntil: 15_000 }), 'hold_end 15000'],
    ['to be destroyed', vm('terminating', { terminatingSince: 13_000 }), 'terminate 13000'],
    [
      'asked to be destroyed',
      vm('terminating', { terminatingSince: 13_000, terminateAgainAt: 14_000 }),
      'terminate 14000',
    ],
    ['stuck', vm('stuck'), ''],
    ['drained', vm('drained'), ''],
    ['standing by', vm('standby'), ''],
  ])('%s', (_name, machine, expected) => {
    const found = deadlines(machine, RULES, 0)
    expect(found.map(({ kind, at }) => `${kind} ${at}`).join(', ')).toBe(expected)
    expect(nextDeadline(machine, RULES, 0)).toBe(found.length === 0 ? null : Math.min(...found.map(({ at }) => at)))
  })

  test('a limit is passed, not reached', () => {
    const dirty = vm('ready', { checkPassedAt: 1, nextCheckAt: 1e9, boundToUser: 'bob', lastRelease: 0 })
    expect(dueKinds(dirty, RULES, 0, 300)).toEqual([])
    expect(dueKinds(dirty, RULES, 0, 301)).toEqual(['dirty'])
  })

  test('C7 after the start of the server a ready machine is due for a check since its last use', () => {
    const used = vm('ready', { checkPassedAt: 10_100, nextCheckAt: 20_000, lastRelease: 10_050 })
    expect(deadlines(used, RULES, 10_099)).toEqual([{ kind: 'check', at: 20_000 }])
    expect(deadlines(used, RULES, 10_100)).toEqual([{ kind: 'check', at: 10_050 }])
    expect(deadlines({ ...used, lastRelease: null }, RULES, 10_100)).toEqual([{ kind: 'check', at: 10_000 }])
  })

  test('a machine in use is checked only where the group says so', () => {
    const used = vm('in_use', { leaseExpiresAt: 10_050, nextCheckAt: 10_010 })
    expect(dueKinds(used, RULES, 0, 10_010)).toEqual([])
    expect(dueKinds(used, { ...RULES, checkInUse: true }, 0, 10_010)).toEqual(['check'])
  })

  test.each<readonly [string, Partial<typeof RULES>, Partial<VmDescriptor>, number | undefined]>([
    ['nothing set', {}, {}, undefined],
    ['age', { maxAgeMs: 100 }, {}, 10_101],
    ['uses, not enough', { maxUses: 3 }, { uses: 2, lastRelease: 10_500 }, undefined],
    ['uses', { maxUses: 3 }, { uses: 3, lastRelease: 10_500 }, 10_500],
    ['idle and clean', { maxReadyAgeMs: 100 }, {}, 10_101],
    ['idle and dirty', { maxReadyAgeMs: 100 }, { boundToUser: 'bob' }, undefined],
    ['time in a sandbox', { maxTimeInSandboxMs: 100 }, { boundToUser: 'bob', boundSince: 10_400 }, 10_501],
    ['the first of several', { maxAgeMs: 100, maxUses: 1 }, { uses: 1, lastRelease: 10_500 }, 10_101],
    ['put off', { maxAgeMs: 100 }, { retireAfter: 12_000 }, 12_000],
  ])('C8 retirement: %s', (_name, rules, fields, at) => {
    const found = deadlines(vm('ready', { checkPassedAt: 1, ...fields }), { ...RULES, ...rules }, 0)
    expect(found.find(({ kind }) => kind === 'retire')?.at).toBe(at)
  })
})
