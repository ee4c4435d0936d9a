import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { DueQueue } from './due-queue.ts'

test('gives what is due in the order of its time, and of its coming among equals', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.nat(20), (times, now) => {
      const queue = new DueQueue<number>()
      for (const [index, at] of times.entries()) queue.add(at, index)
      const taken: number[] = []
      for (let item = queue.takeDue(now); item !== undefined; item = queue.takeDue(now)) taken.push(item)
      const due = times.flatMap((at, index) => (at <= now ? [{ at, index }] : []))
      expect(taken).toEqual(due.sort((a, b) => a.at - b.at || a.index - b.index).map(({ index }) => index))
      const later = times.filter((at) => at > now)
      expect(queue.nextAt).toBe(later.length === 0 ? undefined : Math.min(...later))
    }),
  )
})
