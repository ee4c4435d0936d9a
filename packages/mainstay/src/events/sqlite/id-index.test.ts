import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { SeededRandom } from '../../core/random.ts'
import { IdIndex } from './id-index.ts'

test('finds every id, whatever was added, and no other', () => {
  const id = fc.oneof(fc.uuid(), fc.string({ maxLength: 3 }))
  fc.assert(
    fc.property(fc.array(id, { maxLength: 400 }), id, fc.integer(), (ids, other, seed) => {
      const index = new IdIndex(new SeededRandom(seed))
      for (const [seq, each] of ids.entries()) index.add(each, seq + 1)
      for (const each of [...ids, other]) {
        const places = [...ids.keys()].filter((seq) => ids[seq] === each).map((seq) => seq + 1)
        expect(index.find(each, (seq) => ids[seq - 1] === each)).toBe(places[0])
        expect(index.find(each, () => false)).toBeUndefined()
      }
    }),
  )
})

test('finds each of the places that share a hash', () => {
  const index = new IdIndex(new SeededRandom(1))
  for (let seq = 1; seq <= 3000; seq += 1) index.add('same', seq)
  for (let seq = 1; seq <= 3000; seq += 1) expect(index.find('same', (place) => place === seq)).toBe(seq)
  expect(index.find('same', (place) => place > 3000)).toBeUndefined()
})

test('holds a million ids in less than 26 bytes each and forgets the oldest', () => {
  const index = new IdIndex(new SeededRandom(1))
  for (let seq = 1; seq <= 1_000_000; seq += 1) index.add(`id-${seq}`, seq)
  expect(index.bytes).toBeLessThan(26_000_000)
  expect(index.find('id-1', () => true)).toBe(1)
  index.forgetBefore(900_000)
  expect(index.bytes).toBeLessThan(7_000_000)
  expect(index.find('id-1', (seq) => seq === 1)).toBeUndefined()
  expect(index.find('id-900000', (seq) => seq === 900_000)).toBe(900_000)
})
