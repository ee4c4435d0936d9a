import { assert, array, boolean, double, integer, option, property, record } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { SeededRandom } from '../core/random.ts'
import { chooseProvider, refusalOf, type ProviderCandidate } from './choose-provider.ts'
import {
  DEFAULT_PROVIDER_HEALTH_OPTIONS as OPTIONS,
  NEW_PROVIDER_HEALTH,
  type ProviderHealth,
} from './provider-health.ts'

const NOW = 1_000_000

function candidate(name: string, change: Partial<ProviderCandidate> & { is?: Partial<ProviderHealth> } = {}) {
  const { is = {}, ...rest } = change
  const health: ProviderHealth = { ...NEW_PROVIDER_HEALTH, updatedAt: NOW, ...is }
  return { name, priority: 0, weight: 1, draining: false, health, ...rest } satisfies ProviderCandidate
}

function choose(candidates: readonly ProviderCandidate[], { chance = 0, tried = [] as string[] } = {}) {
  return chooseProvider({ candidates, now: NOW, chance, options: OPTIONS, tried: new Set(tried) })
}

function chosen(candidates: readonly ProviderCandidate[], options = {}): string {
  const result = choose(candidates, options)
  return result.choice === 'use' ? result.provider : result.choice
}

describe('which provider makes the machine (C11)', () => {
  test('the one of the highest priority', () => {
    expect(chosen([candidate('low'), candidate('high', { priority: 1 })])).toBe('high')
  })

  test.each([
    [1, 'high'],
    [0.76, 'high'],
    [0.74, 'equal'],
    [0.51, 'equal'],
    [0.49, 'low'],
    [0, 'low'],
  ])('a provider that is one rank ahead and succeeds in %f of its attempts: %s', (successRate, outcome) => {
    const candidates = [candidate('high', { priority: 1, is: { successRate } }), candidate('low')]
    const picks = new Set([0, 0.99].map((chance) => chosen(candidates, { chance })))
    expect([...picks]).toEqual(outcome === 'equal' ? ['high', 'low'] : [outcome])
  })

  test.each([
    [1999, 'slow'],
    [2000, 'equal'],
    [3999, 'equal'],
    [4000, 'fast'],
    [400_000, 'fast'],
  ])('a provider that is one rank ahead and starts in %i ms where the fastest takes 1000: %s', (startMs, outcome) => {
    const candidates = [
      candidate('slow', { priority: 1, is: { startMs } }),
      candidate('fast', { is: { startMs: 1000 } }),
    ]
    const picks = new Set([0, 0.99].map((chance) => chosen(candidates, { chance })))
    expect([...picks]).toEqual(outcome === 'equal' ? ['slow', 'fast'] : [outcome])
  })

  test('slowness alone costs two ranks at most', () => {
    const candidates = [
      candidate('slow', { priority: 3, is: { startMs: 1e9 } }),
      candidate('fast', { is: { startMs: 1 } }),
    ]
    expect(chosen(candidates)).toBe('slow')
  })

  test('equals share by weight, not by their order', () => {
    const random = new SeededRandom(1)
    const picks = new Map<string, number>()
    const candidates = [candidate('a', { weight: 1 }), candidate('b', { weight: 3 }), candidate('c', { weight: 0 })]
    for (let turn = 0; turn < 4000; turn += 1) {
      const name = chosen(turn % 2 === 0 ? candidates : candidates.toReversed(), { chance: random.next() })
      picks.set(name, (picks.get(name) ?? 0) + 1)
    }
    expect(picks.get('c')).toBeUndefined()
    expect(picks.get('a')! / 4000).toBeCloseTo(0.25, 1)
    expect(picks.get('b')! / 4000).toBeCloseTo(0.75, 1)
  })

  test('those without weight are used when no other is left', () => {
    const candidates = [candidate('a', { weight: 0 }), candidate('b', { weight: 0 })]
    expect([0, 0.49, 0.5, 0.99].map((chance) => chosen(candidates, { chance }))).toEqual(['a', 'a', 'b', 'b'])
  })

  test('the next when the first has refused this request', () => {
    const candidates = [candidate('first', { priority: 1 }), candidate('second')]
    expect(chosen(candidates, { tried: ['first'] })).toBe('second')
    expect(choose(candidates, { tried: ['first', 'second'] })).toMatchObject({ choice: 'none' })
  })

  test('a half-open circuit is probed, by one request at a time', () => {
    const open = { opens: 1, openedAt: NOW - 40_000, openUntil: NOW - 1 }
    expect(choose([candidate('a', { is: open })])).toMatchObject({ choice: 'use', provider: 'a', probe: true })
    const probed = candidate('a', { is: { ...open, probingSince: NOW - 5 } })
    expect(choose([probed])).toMatchObject({ choice: 'wait', until: NOW - 5 + OPTIONS.probeTimeoutMs })
    const stuck = candidate('a', { is: { ...open, probingSince: NOW - OPTIONS.probeTimeoutMs } })
    expect(choose([stuck])).toMatchObject({ choice: 'use', probe: true })
  })

  test('none, with every reason and the earliest time at which one may be asked', () => {
    const refused = [
      candidate('drained', { draining: true }),
      candidate('locked', { is: { disabledBecause: 'bad password' } }),
      candidate('full', { is: { opens: 1, openedAt: NOW, openUntil: NOW + 900 } }),
      candidate('hurried', { is: { nextAttemptAt: NOW + 700 } }),
    ]
    expect(choose(refused)).toEqual({
      choice: 'wait',
      until: NOW + 700,
      refusals: [
        { provider: 'drained', because: 'draining', until: null },
        { provider: 'locked', because: 'disabled', until: null },
        { provider: 'full', because: 'circuit open', until: NOW + 900 },
        { provider: 'hurried', because: 'too many requests', until: NOW + 700 },
      ],
    })
    expect(choose(refused.slice(0, 2))).toMatchObject({ choice: 'none' })
    expect(choose([])).toEqual({ choice: 'none', refusals: [] })
  })

  test('never one that may not be asked, and never none while one may', () => {
    const anyCandidate = record({
      priority: integer({ min: -3, max: 3 }),
      weight: integer({ min: 0, max: 5 }),
      draining: boolean(),
      successRate: double({ min: 0, max: 1, noNaN: true }),
      startMs: option(integer({ min: 0, max: 1_000_000 })),
      openIn: option(integer({ min: -10, max: 10 })),
      nextIn: integer({ min: -10, max: 10 }),
      disabled: boolean(),
    })
    const chances = double({ min: 0, max: 0.9999, noNaN: true })
    assert(
      property(array(anyCandidate, { maxLength: 6 }), chances, (drawn, chance) => {
        const candidates = drawn.map(({ successRate, startMs, openIn, nextIn, disabled, ...rest }, index) => {
          const open = openIn === null ? {} : { opens: 1, openedAt: 0, openUntil: NOW + openIn }
          const disabledBecause = disabled ? 'because' : null
          const is = { successRate, startMs, nextAttemptAt: NOW + nextIn, disabledBecause, ...open }
          return candidate(`p${index}`, { ...rest, is })
        })
        const free = candidates.filter((each) => refusalOf(each, NOW, OPTIONS) === null).map(({ name }) => name)
        const result = choose(candidates, { chance })
        expect(result.choice === 'use').toBe(free.length > 0)
        expect(result.choice !== 'use' || free.includes(result.provider)).toBe(true)
        expect(result.choice !== 'wait' || result.until > NOW).toBe(true)
      }),
    )
  })
})
