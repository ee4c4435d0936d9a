import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { SeededIds, SystemIds } from './ids.ts'
import { SeededRandom, SystemRandom, integerBetween } from './random.ts'

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const UUID_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe.each([
  ['the system', () => new SystemIds()],
  ['a seed', () => new SeededIds(new SeededRandom(7))],
])('ids from %s', (_name, makeIds) => {
  test('carry the version and variant bits of RFC 9562', () => {
    const ids = makeIds()
    for (let count = 0; count < 500; count += 1) {
      expect(ids.random()).toMatch(UUID_4)
      expect(ids.ordered()).toMatch(UUID_7)
    }
  })

  test('are not repeated, and the ordered ones sort in the order of their making', () => {
    const ids = makeIds()
    const ordered = Array.from({ length: 20_000 }, () => ids.ordered())
    expect(ordered.findIndex((id, index) => index > 0 && id <= ordered[index - 1]!)).toBe(-1)
    expect(new Set([...ordered, ...Array.from({ length: 20_000 }, () => ids.random())]).size).toBe(40_000)
  })
})

test('the same seed gives the same ids, another seed gives others', () => {
  const draw = (seed: number): string[] => {
    const ids = new SeededIds(new SeededRandom(seed))
    return [ids.random(), ids.ordered(), ids.random(), ids.ordered()]
  }
  fc.assert(
    fc.property(fc.maxSafeNat(), (seed) => {
      expect(draw(seed)).toEqual(draw(seed))
      expect(draw(seed)).not.toEqual(draw(seed + 1))
    }),
  )
})

describe('seeded chance', () => {
  test('gives the same numbers in every release, so that a printed seed stays worth something', () => {
    const random = new SeededRandom(42)
    expect(Array.from({ length: 4 }, () => Math.floor(random.next() * 2 ** 32))).toMatchInlineSnapshot(`
      [
        3893884377,
        145076852,
        3246010591,
        4141225530,
      ]
    `)
  })

  test('spreads evenly: a chi-square over 64 boxes is where chance puts it', () => {
    const random = new SeededRandom(1)
    const boxes = Array.from({ length: 64 }, () => 0)
    const draws = 64_000
    for (let draw = 0; draw < draws; draw += 1) boxes[Math.floor(random.next() * 64)]! += 1
    const chiSquare = boxes.reduce((sum, count) => sum + (count - draws / 64) ** 2 / (draws / 64), 0)
    // 63 degrees of freedom: 99.99 % of fair generators lie between these.
    expect(chiSquare).toBeGreaterThan(27)
    expect(chiSquare).toBeLessThan(117)
  })
})

test.each([
  ['the system', new SystemRandom()],
  ['a seed', new SeededRandom(3)],
])('whole numbers from %s reach both ends and never leave them', (_name, random) => {
  const seen = new Set(Array.from({ length: 2000 }, () => integerBetween(random, -2, 3)))
  expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3])
})
