import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { failSafeLimit, runningLimit, spawnInterval, spawnProcessLimit, spawnRefusal } from './spawn-limits.ts'

describe('limits of spawning (vm-pool.md A6.5)', () => {
  test.each([
    // active, spawning, limit → allowed
    [0, 0, 1, true],
    [10, 0, 11, true],
    [11, 0, 11, false],
    [0, 11, 11, false],
    [5, 6, 11, false],
    [5, 5, 11, true],
    [100, 100, undefined, true],
  ] as const)('running: %d machines and %d spawns of %s: allowed %s', (active, spawning, limit, allowed) => {
    expect(runningLimit({ active, spawning }, limit) === null).toBe(allowed)
  })

  test.each([
    // last start, now → allowed, with an interval of 30
    [null, 0, true],
    [0, 0, false],
    [0, 29, false],
    [0, 29.999, false],
    [0, 30, true],
    [0, 31, true],
  ] as const)('interval: last start %s, at %d: allowed %s', (last, now, allowed) => {
    expect(spawnInterval(last, now, 30) === null).toBe(allowed)
  })

  test.each([
    [0, 3, true],
    [2, 3, true],
    [3, 3, false],
    [103, 3, false],
    [103, undefined, true],
  ] as const)('spawn processes: %d of %s: allowed %s', (spawning, limit, allowed) => {
    expect(spawnProcessLimit(spawning, limit) === null).toBe(allowed)
  })

  test.each([
    [0, 5, true],
    [9, 5, true],
    [10, 5, false],
    [19, 5, false],
    [1000, undefined, true],
  ] as const)('fail-safe: %d machines with a maximum of %s: allowed %s', (total, limit, allowed) => {
    expect(failSafeLimit(total, limit) === null).toBe(allowed)
  })

  test('the first refusal in the order of the specification is the one that is told, with its numbers', () => {
    const facts = { active: 5, total: 10, spawning: 3, lastSpawnStart: 0 }
    const limits = { maxTotal: 5, maxSpawning: 3, minInterval: 30 }
    expect(spawnRefusal(facts, 0, limits)).toBe('5 machines and 3 spawns reach the limit of 5')
    const fewer = { ...facts, active: 1 }
    expect(spawnRefusal(fewer, 12, limits)).toBe('the last spawn started 12 ago, less than the interval of 30')
    expect(spawnRefusal(fewer, 30, limits)).toBe('3 spawns reach the limit of 3')
    expect(spawnRefusal({ ...fewer, spawning: 2 }, 30, limits)).toBe(
      '10 machines in any state reach twice the limit of 5',
    )
    expect(spawnRefusal({ ...fewer, spawning: 2, total: 9 }, 30, limits)).toBeNull()
  })

  test('starting a spawn whenever it is allowed never goes over any limit', () => {
    const steps = fc.array(fc.record({ seconds: fc.nat(20), ends: fc.nat(2), dies: fc.boolean() }), { maxLength: 200 })
    const limits = fc.record({ maxTotal: fc.nat(6), maxSpawning: fc.nat(3), minInterval: fc.nat(15) })
    fc.assert(
      fc.property(steps, limits, (run, limit) => {
        let facts = { active: 0, total: 0, spawning: 0, lastSpawnStart: null as number | null }
        let now = 0
        for (const { seconds, ends, dies } of run) {
          now += seconds
          const ended = Math.min(ends, facts.spawning)
          facts = {
            ...facts,
            spawning: facts.spawning - ended,
            active: facts.active + ended,
            total: facts.total + ended,
          }
          if (dies && facts.active > 0) facts = { ...facts, active: facts.active - 1 }
          const allowed = spawnRefusal(facts, now, limit) === null
          const since = facts.lastSpawnStart === null ? Infinity : now - facts.lastSpawnStart
          expect(allowed && since < limit.minInterval).toBe(false)
          if (allowed) facts = { ...facts, spawning: facts.spawning + 1, lastSpawnStart: now }
          expect(facts.active + facts.spawning).toBeLessThanOrEqual(limit.maxTotal)
          expect(facts.spawning).toBeLessThanOrEqual(limit.maxSpawning)
        }
      }),
    )
  })
})
