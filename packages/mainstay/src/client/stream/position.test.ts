import { array, assert, boolean, integer, property, tuple } from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Hello } from './frame.ts'
import { StreamPosition } from './position.ts'
import type { StreamedEvent } from './streamed-event.ts'

const HELLO: Hello = {
  connectionId: 'c',
  epoch: 'e',
  head: 100,
  oldest: 1,
  resumed: false,
  cursor: 'e:0',
  heartbeatMs: 1000,
  complete: true,
}

function event(seq: number, n: number | null = null): Parameters<StreamPosition['take']>[0] {
  return { kind: 'event', n, event: { seq, epoch: 'e' } as unknown as StreamedEvent }
}

describe('the place of a client (R12, R40)', () => {
  test('R40 over any cuts and repeats what is new is every event, once and in order', () => {
    // Each connection: how far behind the client's place the server begins, and how many events it gives.
    const connections = array(tuple(integer({ min: 0, max: 5 }), integer({ min: 0, max: 10 })))
    assert(
      property(connections, boolean(), (cuts, counted) => {
        const position = new StreamPosition()
        const taken: number[] = []
        let at = 0
        for (const [back, count] of cuts) {
          const from = Math.max(0, at - back)
          position.begin({ ...HELLO, cursor: `e:${from}` }, { unfiltered: true })
          for (let index = 1; index <= count; index += 1) {
            const verdict = position.take(event(from + index, counted ? index : null))
            if (verdict === 'new') taken.push(from + index)
            expect(verdict).not.toBe('gap')
          }
          at = Math.max(at, from + count)
        }
        expect(taken).toEqual(Array.from({ length: at }, (_, index) => index + 1))
        expect(position.cursor).toBe(cuts.length === 0 ? undefined : `e:${at}`)
      }),
    )
  })

  test('R12 an event that is left out is a gap, wherever it is, if the server counts', () => {
    assert(
      property(integer({ min: 2, max: 50 }), integer({ min: 1, max: 49 }), (count, lost) => {
        const missing = 1 + (lost % (count - 1))
        const position = new StreamPosition()
        position.begin(HELLO, { unfiltered: false })
        const verdicts = Array.from({ length: count }, (_, index) => index + 1)
          .filter((n) => n !== missing)
          .map((n) => position.take(event(n * 3, n)))
        expect(verdicts.indexOf('gap')).toBe(missing - 1)
      }),
    )
  })

  test.each([
    ['no cursor', ''],
    ['no number', 'e:x'],
    ['no history', ':5'],
    ['a number that is too large', 'e:99999999999999999'],
    ['an older place', 'e:3'],
  ])('%s moves nothing: "%s"', (_name, cursor) => {
    const position = new StreamPosition()
    position.begin({ ...HELLO, cursor: 'e:7' }, { unfiltered: true })
    position.moveTo(cursor)
    expect(position.cursor).toBe('e:7')
  })
})
