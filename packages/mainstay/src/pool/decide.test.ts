import { describe, expect, test } from 'vitest'

import type { DueKind } from './deadlines.ts'
import { decidePool } from './decide.ts'
import { DEFAULT_MASTER_RULES, NO_MEMORY, type PoolSnapshot, type PoolStock } from './decide/snapshot.ts'
import { newDescriptor, type VmDescriptor } from './descriptor.ts'
import { groupRules, poolRules, type GroupRules } from './options.ts'
import { groupCounts, labelOptions, waitingRequest } from './testing/counts.ts'

const NOW = 10_000_000

function snapshot(fields: Partial<PoolSnapshot> & { group?: Partial<GroupRules> } = {}): PoolSnapshot {
  const { group, ...rest } = fields
  return {
    now: NOW,
    configuration: { pool: poolRules(), groups: [groupRules({ id: 'g', ...group })] },
    labels: [],
    due: [],
    stock: null,
    underWay: { building: {}, destroying: new Set(), checkRoom: 100, destroyRoom: 100 },
    noProvider: {},
    rules: DEFAULT_MASTER_RULES,
    memory: NO_MEMORY,
    ...rest,
  }
}

const vm = (fields: Partial<VmDescriptor> = {}): VmDescriptor =>
  newDescriptor({ name: 'vm', group: 'g', state: 'ready', createdAt: 0, ...fields })
const due = (machine: VmDescriptor, ...kinds: DueKind[]) => [{ vm: machine, kinds }]
const stockOf = (fields: Partial<PoolStock>): PoolStock => ({ counts: [], requests: [], usage: [], ...fields })

describe('C9 what is done about machines that are due', () => {
  test.each<[string, Partial<VmDescriptor>, DueKind, object | undefined]>([
    ['B-4 idle for exactly the dirty timeout', { boundToUser: 'u', lastRelease: NOW - 120_000 }, 'dirty', undefined],
    [
      'B-4 idle for longer',
      { boundToUser: 'u', lastRelease: NOW - 120_001 },
      'dirty',
      { do: 'terminate', from: ['ready'] },
    ],
    [
      'B-7 a check of exactly the longest time',
      { state: 'check_health', checkStartedAt: NOW - 300_000 },
      'check_overdue',
      undefined,
    ],
    [
      'B-7 a longer one',
      { state: 'check_health', checkStartedAt: NOW - 300_001 },
      'check_overdue',
      { do: 'give_up_check' },
    ],
    ['C7 a check', { checkStartedAt: NOW - 1 }, 'check', { do: 'check', because: 'its last check was 1 ms ago' }],
    ['C5 a silent holder', { state: 'in_use', leaseExpiresAt: NOW - 30_001 }, 'lease', { do: 'reclaim' }],
    ['C4 a holder that does not stop', { state: 'in_use' }, 'preempt', { do: 'reclaim' }],
    ['C6 a spawn without end', { state: 'building' }, 'launch', { do: 'abandon_spawn' }],
    ['C12 a hold at its end', { state: 'held' }, 'hold_end', { do: 'unhold' }],
    ['C17 a reset without end', { state: 'resetting' }, 'reset_overdue', { do: 'terminate', from: ['resetting'] }],
  ])('%s', (_what, fields, kind, expected) => {
    const { decisions } = decidePool(snapshot({ due: due(vm(fields), kind) }))
    expect(decisions).toMatchObject(expected === undefined ? [] : [{ vm: 'vm', ...expected }])
  })

  test.each([
    [0, { do: 'destroy', attempt: 1, againAt: NOW + 600_000 }],
    [1, { do: 'destroy', attempt: 2, againAt: NOW + 1_200_000 }],
    [5, { do: 'destroy', attempt: 6, againAt: NOW + 3_600_000 }],
    [6, { do: 'give_up_destroying' }],
  ])('C10 after %i attempts to destroy it, with pauses that double', (terminateAttempts, expected) => {
    const machine = vm({ state: 'terminating', terminatingSince: NOW, terminateAttempts })
    expect(decidePool(snapshot({ due: due(machine, 'terminate') })).decisions).toMatchObject([expected])
  })

  test('C9 a destruction that is waited for is not asked a second time', () => {
    const machine = vm({ state: 'terminating', terminatingSince: 0, terminateAttempts: 1 })
    const underWay = { building: {}, destroying: new Set(['vm']), checkRoom: 1, destroyRoom: 1 }
    expect(decidePool(snapshot({ due: due(machine, 'terminate'), underWay })).decisions).toEqual([])
  })

  test('C7 no more checks are started than there is room for, and what else is due does not wait for them', () => {
    const machines = [
      ...due(vm({ name: 'a' }), 'check'),
      ...due(vm({ name: 'b' }), 'check'),
      ...due(vm({ name: 'c', state: 'held' }), 'hold_end'),
    ]
    const underWay = { building: {}, destroying: new Set<string>(), checkRoom: 1, destroyRoom: 1 }
    expect(decidePool(snapshot({ due: machines, underWay })).decisions).toMatchObject([
      { do: 'check', vm: 'a' },
      { do: 'unhold', vm: 'c' },
    ])
  })
})

describe('C8 machines that served their time', () => {
  const worn = vm({ createdAt: NOW - 1000 })
  const group = { maxAgeMs: 1000 }
  const labels = [labelOptions({ label: 'g', minReady: 2 })]

  test('C8 one that the minimum needs is kept, and one more is started', () => {
    const stock = stockOf({ counts: [groupCounts('g', { ready: 2 })] })
    const { decisions } = decidePool(snapshot({ group, labels, stock, due: due(worn, 'retire') }))
    expect(decisions).toMatchObject([
      { do: 'keep', vm: 'vm', until: NOW + 30_000 },
      { do: 'spawn', group: 'g', count: 1, for: 'g' },
    ])
  })

  test('C8 it goes when its replacement is ready, not before', () => {
    const building = stockOf({ counts: [groupCounts('g', { ready: 2, building: 1 })] })
    const underWay = { building: { g: 1 }, destroying: new Set<string>(), checkRoom: 1, destroyRoom: 1 }
    expect(
      decidePool(snapshot({ group, labels, stock: building, underWay, due: due(worn, 'retire') })).decisions,
    ).toMatchObject([{ do: 'keep' }])
    const ready = stockOf({ counts: [groupCounts('g', { ready: 3 })] })
    expect(decidePool(snapshot({ group, labels, stock: ready, due: due(worn, 'retire') })).decisions).toMatchObject([
      { do: 'terminate', vm: 'vm', because: 'it is older than max_age' },
    ])
  })

  test.each([
    ['the group', { maxAgeMs: 1000, maxTotal: 2 }, labels],
    ['its label', { maxAgeMs: 1000, maxTotal: 9 }, [labelOptions({ label: 'g', minReady: 2, maxTotal: 2 })]],
  ])('C8 without room in %s for a replacement it goes first, one at a time', (_what, full, wishes) => {
    const two = [...due(worn, 'retire'), ...due({ ...worn, name: 'other' }, 'retire')]
    const stock = stockOf({ counts: [groupCounts('g', { ready: 2 })] })
    const { decisions } = decidePool(snapshot({ group: full, labels: wishes, stock, due: two }))
    expect(decisions.slice(0, 2)).toMatchObject([
      { do: 'terminate', vm: 'vm', because: expect.stringContaining('no room for its replacement') },
      { do: 'keep', vm: 'other' },
    ])
    for (const state of ['building', 'check_health', 'terminating'] as const) {
      const busy = stockOf({ counts: [groupCounts('g', { ready: state === 'terminating' ? 2 : 1, [state]: 1 })] })
      const kept = decidePool(snapshot({ group: full, labels: wishes, stock: busy, due: due(worn, 'retire') }))
      expect(kept.decisions.filter((each) => each.do === 'terminate')).toEqual([])
    }
  })

  test('C8 one that served its uses goes at once: nobody gets it any more, so the minimum does not have it', () => {
    const stock = stockOf({ counts: [groupCounts('g', { ready: 2 }, { clean: 1 })] })
    const due_ = due(vm({ uses: 3 }), 'retire')
    const { decisions } = decidePool(snapshot({ group: { maxUses: 3 }, labels, stock, due: due_ }))
    expect(decisions).toMatchObject([
      { do: 'terminate', vm: 'vm', because: 'it served max_uses' },
      { do: 'spawn', group: 'g', count: 1, for: 'g' },
    ])
  })

  test('C8 one that merely idled for long is kept for the minimum, and nothing is started', () => {
    const stock = stockOf({ counts: [groupCounts('g', { ready: 2 })] })
    const idle = vm({ createdAt: NOW - 1000 })
    const { decisions } = decidePool(
      snapshot({ group: { maxReadyAgeMs: 1000 }, labels, stock, due: due(idle, 'retire') }),
    )
    expect(decisions).toMatchObject([{ do: 'keep', vm: 'vm' }])
  })

  test.each<[string, Partial<VmDescriptor>, object]>([
    ['in use ends with its use', { state: 'in_use' }, { do: 'drain', mode: 'terminate' }],
    ['bound to somebody goes at once', { boundToUser: 'u' }, { do: 'terminate' }],
    ['on hold stays', { state: 'held' }, { do: 'keep' }],
  ])('C8 one that is %s', (_what, fields, expected) => {
    const stock = stockOf({ counts: [groupCounts('g', { ready: 2 })] })
    const { decisions } = decidePool(snapshot({ group, labels, stock, due: due({ ...worn, ...fields }, 'retire') }))
    expect(decisions).toMatchObject([expected])
  })

  test('C9 nothing is retired while the counts cannot be read', () => {
    expect(decidePool(snapshot({ group, due: due(worn, 'retire') })).decisions).toMatchObject([{ do: 'keep' }])
  })
})

describe('C4 room for requests in a full group', () => {
  const full = { maxTotal: 4, reuseOpportunityMs: 5000 }
  const request = waitingRequest({ id: 'r', owner: 'new' })

  test('C8 idle machines of others go, no more than are waited for', () => {
    const stock = stockOf({ counts: [groupCounts('g', { ready: 3, in_use: 1 }, { clean: 0 })], requests: [request] })
    expect(decidePool(snapshot({ group: full, stock })).decisions).toMatchObject([
      { do: 'evict', group: 'g', count: 1, idleForMs: 5000 },
    ])
  })

  test('C4 holders are asked to stop only in favour of a request with a priority', () => {
    const counts = [groupCounts('g', { in_use: 4 })]
    expect(decidePool(snapshot({ group: full, stock: stockOf({ counts, requests: [request] }) })).decisions).toEqual([])
    const urgent = { ...request, priority: 500 }
    expect(
      decidePool(snapshot({ group: full, stock: stockOf({ counts, requests: [urgent] }) })).decisions,
    ).toMatchObject([{ do: 'preempt', request: 'r' }])
  })

  test('C3 nobody makes way for an owner at his limit', () => {
    const usage = [{ owner: 'new', held: 4, bound: { g: 4 } }]
    const stock = stockOf({
      counts: [groupCounts('g', { ready: 3, in_use: 1 }, { clean: 0 })],
      requests: [{ ...request, priority: 900 }],
      usage,
    })
    expect(decidePool(snapshot({ group: { ...full, maxPerUser: 4 }, stock })).decisions).toEqual([])
  })
})

describe('C20 C6 groups', () => {
  test('C20 a group that is going is drained, and nothing is started in it', () => {
    const stock = stockOf({ counts: [groupCounts('g', { ready: 1, in_use: 1 })] })
    const labels = [labelOptions({ label: 'g', minReady: 5 })]
    const { decisions } = decidePool(snapshot({ group: { draining: 'terminate' }, labels, stock }))
    expect(decisions.map((each) => each.do)).toEqual(['drain_group'])
  })

  test('C20 machines of a group that nobody configures are not forgotten and not added to', () => {
    const stock = stockOf({ counts: [groupCounts('gone', { ready: 1 })] })
    const { decisions, sizing } = decidePool(
      snapshot({ stock, labels: [labelOptions({ label: 'gone', minReady: 3 })] }),
    )
    expect(decisions).toEqual([])
    expect(sizing?.labels[0]?.unmet?.because).toBe('gone: the configuration does not have the group')
  })

  test('C6 spawns that nobody works on are taken up', () => {
    const stock = stockOf({ counts: [groupCounts('g', { building: 3, resetting: 1 })] })
    const underWay = { building: { g: 3 }, destroying: new Set<string>(), checkRoom: 1, destroyRoom: 1 }
    expect(decidePool(snapshot({ stock, underWay })).decisions).toMatchObject([{ do: 'take_up', group: 'g' }])
  })

  test('C8 a token bucket spans several rounds', () => {
    const rules = { ...DEFAULT_MASTER_RULES, spawnRate: { burst: 2, perMinute: 60 } }
    const labels = [labelOptions({ label: 'g', minReady: 9 })]
    const group = { maxTotal: 0, maxSpawns: 0 }
    const first = decidePool(snapshot({ group, rules, labels, stock: stockOf({ counts: [groupCounts('g')] }) }))
    expect(first.decisions).toMatchObject([{ do: 'spawn', count: 2 }])
    const later = {
      now: NOW + 1000,
      memory: first.memory,
      underWay: { building: { g: 2 }, destroying: new Set<string>(), checkRoom: 1, destroyRoom: 1 },
    }
    const stock = stockOf({ counts: [groupCounts('g', { building: 2 })] })
    expect(decidePool(snapshot({ group, rules, labels, stock, ...later })).decisions).toMatchObject([
      { do: 'spawn', count: 1 },
    ])
  })
})
