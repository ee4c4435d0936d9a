import { array, assert, integer, nat, property, record } from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { LabelOptions } from '../options.ts'
import { poolRules } from '../options.ts'
import type { PoolRequest } from '../request.ts'
import { groupFacts, labelOptions, waitingRequest } from '../testing/counts.ts'
import { allLabels } from './all-labels.ts'
import { active } from './group-room.ts'
import type { GroupFacts } from './ledger.ts'
import { size, type Sizing, type SizingInput } from './size.ts'

const DAY_MS = 86_400_000

function sized(
  groups: readonly GroupFacts[],
  labels: readonly LabelOptions[],
  rest: Partial<Omit<SizingInput, 'groups' | 'labels'>> = {},
): Sizing {
  const rules = groups.map((group) => group.rules)
  return size({
    now: 1_000_000,
    pool: poolRules(),
    groups,
    labels: allLabels(labels, rules),
    requests: [],
    usage: [],
    replacing: {},
    surplusSince: {},
    ...rest,
  })
}

const started = (sizing: Sizing): number => sizing.starts.reduce((sum, { count }) => sum + count, 0)
const requests = (count: number, fields: Partial<PoolRequest> = {}): PoolRequest[] =>
  Array.from({ length: count }, (_, index) => waitingRequest({ id: `r${index}`, submittedAt: index, ...fields }))

describe('C8 how many machines are started', () => {
  test.each([
    // min_ready, ready, building, in use -> starts
    [3, 0, 0, 0, 3],
    [3, 1, 0, 0, 2],
    [3, 1, 2, 0, 0],
    [3, 3, 0, 5, 0],
    [3, 2, 0, 5, 1],
    [0, 0, 0, 0, 0],
  ])(
    'C8 min_ready %i with %i ready, %i building and %i in use starts %i: the minimum is idle beyond those in use',
    (minReady, ready, building, inUse, expected) => {
      const group = groupFacts({ id: 'g' }, { ready, building, in_use: inUse })
      expect(started(sized([group], [labelOptions({ label: 'g', minReady })]))).toBe(expected)
    },
  )

  test('C8 a burst of n requests starts exactly max(0, n - ready) machines', () => {
    assert(
      property(nat(60), nat(60), nat(20), (n, ready, building) => {
        // What is ready was handed out at once; the others wait.
        const waiting = Math.max(0, n - ready)
        const group = groupFacts({ id: 'g' }, { ready: Math.max(0, ready - n), in_use: Math.min(n, ready), building })
        const sizing = sized([group], [labelOptions({ label: 'g', onDemand: true })], { requests: requests(waiting) })
        expect(started(sizing)).toBe(Math.max(0, n - ready - building))
      }),
    )
  })

  test('C8 what waits and what is kept idle add up', () => {
    const group = groupFacts({ id: 'g' }, { in_use: 2, building: 1 })
    expect(started(sized([group], [labelOptions({ label: 'g', minReady: 2 })], { requests: requests(3) }))).toBe(4)
  })

  test.each([
    ['max_total', { maxTotal: 5 }, { ready: 1, in_use: 2 }, 2, 'max_total 5'],
    ['max_spawns', { maxSpawns: 3 }, { building: 1 }, 2, 'max_spawns 3'],
    ['the interval', { spawnIntervalMs: 1000 }, {}, 1, 'one each 1000 ms'],
    ['the fail-safe', { maxTotal: 5 }, { terminating: 8 }, 2, 'twice max_total 5'],
  ] as const)('C8 never more than %s allows', (_limit, rules, counts, expected, because) => {
    const group = groupFacts({ id: 'g', ...rules }, counts)
    const sizing = sized([group], [labelOptions({ label: 'g', minReady: 20 })])
    expect(started(sizing)).toBe(expected)
    expect(sizing.labels[0]?.unmet?.because).toContain(because)
  })

  test('C8 a token bucket bounds a burst', () => {
    const group = groupFacts({ id: 'g' }, {}, { tokens: 4 })
    const sizing = sized([group], [labelOptions({ label: 'g', minReady: 20 })])
    expect(started(sizing)).toBe(4)
    expect(sizing.labels[0]?.unmet).toEqual({ count: 16, because: 'g: the rate of spawns' })
  })

  test('C8 a label over several groups fills the preferred one first, and a machine that serves two labels counts for both', () => {
    const groups = [
      groupFacts({ id: 'a', labels: ['linux', 'big'], maxTotal: 2 }),
      groupFacts({ id: 'b', labels: ['linux'] }),
    ]
    const sizing = sized(groups, [
      labelOptions({ label: 'linux', minReady: 5 }),
      labelOptions({ label: 'big', minReady: 2 }),
    ])
    expect(sizing.starts).toMatchObject([
      { group: 'a', count: 2, for: 'linux' },
      { group: 'b', count: 3, for: 'linux' },
    ])
  })

  test('C8 scale_factor adds idle machines for those in use, with a cap, and max_ready caps all', () => {
    const label = { label: 'g', minReady: 1, scaleFactor: 0.5, scaleMax: 4 }
    const idle = (inUse: number, more: Partial<LabelOptions> = {}): number | undefined =>
      sized([groupFacts({ id: 'g' }, { in_use: inUse })], [labelOptions({ ...label, ...more })]).labels[0]?.target.idle
    expect([idle(0), idle(1), idle(4), idle(100), idle(100, { maxReady: 3 })]).toEqual([1, 2, 3, 5, 3])
  })

  test('C8 min_total and max_total of a label bound what it has over all its groups', () => {
    const groups = [
      groupFacts({ id: 'a', labels: ['l'] }, { in_use: 3 }),
      groupFacts({ id: 'b', labels: ['l'] }, { in_use: 3 }),
    ]
    expect(started(sized(groups, [labelOptions({ label: 'l', minTotal: 8 })]))).toBe(2)
    expect(started(sized(groups, [labelOptions({ label: 'l', minReady: 9, maxTotal: 7 })]))).toBe(1)
  })

  test('C8 max_total of a label bounds what requests and other labels start in its groups too', () => {
    const groups = [
      groupFacts({ id: 'a', labels: ['l'] }, { in_use: 3 }),
      groupFacts({ id: 'b', labels: ['l'] }, { in_use: 3 }),
    ]
    const label = labelOptions({ label: 'l', maxTotal: 8 })
    const requests = ['x', 'y', 'z'].map((id) => waitingRequest({ id, groups: ['b'] }))
    const sizing = sized(groups, [label], { requests })
    expect(started(sizing)).toBe(2)
    expect(sizing.unserved).toMatchObject([{ request: 'z', kind: 'full', because: 'b: max_total 8 of the label l' }])
    expect(started(sized(groups, [label, labelOptions({ label: 'a', minReady: 5 })]))).toBe(2)
  })

  test('C8 stopped machines are woken first, and in the next round the stock of them is filled again', () => {
    const label = labelOptions({ label: 'g', minReady: 3, standby: 2 })
    expect(sized([groupFacts({ id: 'g' }, { standby: 2 })], [label]).starts).toMatchObject([
      { kind: 'wake', count: 2 },
      { kind: 'spawn', count: 1 },
    ])
    expect(sized([groupFacts({ id: 'g' }, { starting: 2, building: 1 })], [label]).starts).toMatchObject([
      { kind: 'spawn', count: 2, because: 'g: standby 2, it has 0' },
    ])
  })

  test('C8 a machine to be replaced is replaced first: one more is started while it still counts as ready', () => {
    const label = labelOptions({ label: 'g', minReady: 3 })
    expect(started(sized([groupFacts({ id: 'g' }, { ready: 3 })], [label], { replacing: { g: 1 } }))).toBe(1)
    expect(started(sized([groupFacts({ id: 'g' }, { ready: 3, building: 1 })], [label], { replacing: { g: 1 } }))).toBe(
      0,
    )
  })

  test('C8 nothing is started in a group that is drained or without a provider', () => {
    const label = labelOptions({ label: 'g', minReady: 3 })
    expect(started(sized([groupFacts({ id: 'g', draining: 'terminate' })], [label]))).toBe(0)
    const sizing = sized([groupFacts({ id: 'g' }, {}, { noProvider: 'every provider rests' })], [label])
    expect([started(sizing), sizing.labels[0]?.unmet?.because]).toEqual([0, 'g: every provider rests'])
  })

  test('C8 nothing is started for requests that their owner may not have, however many they are', () => {
    const group = groupFacts({ id: 'g', maxPerUser: 4 }, { in_use: 3 })
    const usage = [{ owner: 'greedy', held: 3, bound: { g: 3 } }]
    const sizing = sized([group], [], { requests: requests(3000, { owner: 'greedy' }), usage })
    expect(started(sizing)).toBe(1)
    expect(sizing.unserved).toHaveLength(2999)
    expect(sizing.unserved[0]?.because).toContain('4 of max_per_user 4 in g')
  })

  test('C8 a gang is started as a whole', () => {
    const group = groupFacts({ id: 'g' }, { ready: 1 })
    expect(started(sized([group], [], { requests: requests(1, { count: 4 }) }))).toBe(3)
  })
})

describe('C8 how many idle machines go', () => {
  const late = { surplusSince: { g: 0 } }

  test('C8 after scale_down_delay, never below the minimum', () => {
    const group = groupFacts({ id: 'g' }, { ready: 7 })
    const label = labelOptions({ label: 'g', minReady: 3, scaleDownDelayMs: 1_000_000 })
    expect(sized([group], [label], late).shrinks).toMatchObject([{ group: 'g', kind: 'terminate', count: 4 }])
    const early = sized([group], [label], { surplusSince: { g: 1 } })
    expect(early.shrinks).toEqual([])
    expect(early.surplusSince).toEqual({ g: 1 })
  })

  test('C8 the delay begins anew when there was none too many in between', () => {
    const label = labelOptions({ label: 'g', minReady: 3 })
    expect(sized([groupFacts({ id: 'g' }, { ready: 3 })], [label], late).surplusSince).toEqual({})
  })

  test('C8 above max_ready at once', () => {
    const label = labelOptions({ label: 'g', minReady: 1, maxReady: 5 })
    expect(sized([groupFacts({ id: 'g' }, { ready: 7 })], [label]).shrinks).toMatchObject([{ count: 2 }])
  })

  test('C8 min_total keeps them', () => {
    const label = labelOptions({ label: 'g', minTotal: 6 })
    expect(sized([groupFacts({ id: 'g' }, { ready: 7 })], [label], late).shrinks).toMatchObject([{ count: 1 }])
  })

  test('C8 a machine goes only when every label can spare it', () => {
    const groups = [
      groupFacts({ id: 'a', labels: ['l', 'm'] }, { ready: 4 }),
      groupFacts({ id: 'b', labels: ['l'] }, { ready: 4 }),
    ]
    const labels = [labelOptions({ label: 'l', minReady: 2 }), labelOptions({ label: 'm', minReady: 3 })]
    const { shrinks } = sized(groups, labels, { surplusSince: { l: 0, m: 0 } })
    expect(shrinks).toMatchObject([
      { group: 'b', count: 4 },
      { group: 'a', count: 1 },
    ])
  })

  test('C8 what is too many becomes a stopped machine where one is missing', () => {
    const label = labelOptions({ label: 'g', minReady: 1, standby: 2 })
    expect(sized([groupFacts({ id: 'g' }, { ready: 4 })], [label], late).shrinks).toMatchObject([
      { kind: 'stand_by', count: 2 },
      { kind: 'terminate', count: 1 },
    ])
  })

  test('C20 above a maximum that was lowered they are in excess, whatever the minimum', () => {
    const group = groupFacts({ id: 'g', maxTotal: 5 }, { ready: 3, in_use: 6 })
    expect(sized([group], [labelOptions({ label: 'g', minReady: 3 })]).excess).toMatchObject([{ group: 'g', count: 4 }])
    const groups = [
      groupFacts({ id: 'a', labels: ['l'] }, { in_use: 3 }),
      groupFacts({ id: 'b', labels: ['l'] }, { in_use: 3 }),
    ]
    expect(sized(groups, [labelOptions({ label: 'l', maxTotal: 2 })]).excess).toMatchObject([
      { group: 'b', count: 3 },
      { group: 'a', count: 1 },
    ])
  })
})

describe('C8 stability', () => {
  test('C8 a week without demand: what the first round started is all that ever happens', () => {
    const label = labelOptions({
      label: 'g',
      minReady: 4,
      maxReady: 8,
      scaleFactor: 0.5,
      schedules: [{ cron: '0 8 * * 1-5', timeZone: 'Europe/Prague', forMs: DAY_MS / 4, override: { maxReady: 9 } }],
    })
    const begin = Date.UTC(2026, 10, 23)
    const first = sized([groupFacts({ id: 'g' })], [label], { now: begin })
    expect(started(first)).toBe(4)
    let { surplusSince } = first
    for (let now = begin; now < begin + 7 * DAY_MS; now += 60_000) {
      // One of them is always being checked.
      const round = sized([groupFacts({ id: 'g' }, { ready: 3, check_health: 1 })], [label], { now, surplusSince })
      expect([round.starts, round.shrinks, round.excess]).toEqual([[], [], []])
      surplusSince = round.surplusSince
    }
  })

  test('C8 starting and giving up never happen in the same round, and limits hold', () => {
    const counts = record({
      ready: nat(9),
      in_use: nat(9),
      building: nat(5),
      check_health: nat(3),
      standby: nat(3),
      terminating: nat(4),
    })
    const label = record({
      minReady: nat(8),
      maxReady: nat(12),
      maxTotal: nat(25),
      minTotal: nat(12),
      standby: nat(3),
      scaleMax: nat(4),
    })
    assert(
      property(
        array(counts, { minLength: 1, maxLength: 3 }),
        label,
        nat(6),
        integer({ min: 0, max: 12 }),
        (all, wish, waiting, most) => {
          const groups = all.map((some, index) => groupFacts({ id: `g${index}`, labels: ['l'], maxTotal: most }, some))
          const options = labelOptions({ label: 'l', scaleFactor: 1, ...wish })
          const sizing = sized(groups, [options], {
            requests: requests(waiting, { groups: ['g0'] }),
            surplusSince: { l: 0 },
          })
          const tooMany = groups.filter(({ rules, counts: before }) => {
            const spawns = sizing.starts.filter(({ group, kind }) => group === rules.id && kind === 'spawn')
            const count = spawns.reduce((sum, each) => sum + each.count, 0)
            return count > 0 && most > 0 && active(before.states) + count > most
          })
          expect(tooMany).toEqual([])
          const ended = sizing.shrinks
            .filter(({ kind }) => kind === 'terminate')
            .reduce((sum, { count }) => sum + count, 0)
          const clean = groups.reduce((sum, { counts: before }) => sum + before.clean, 0)
          expect(clean - ended).toBeGreaterThanOrEqual(Math.min(clean, sizing.labels[0]!.target.idle))
          const forLabel = sizing.starts.filter((start) => start.for === 'l')
          expect(ended > 0 && forLabel.length > 0, 'both for one label').toBe(false)
        },
      ),
    )
  })
})
