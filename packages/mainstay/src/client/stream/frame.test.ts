import { assert, constantFrom, dictionary, jsonValue, oneof, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { readFrame } from './frame.ts'

describe('reading frames (R9 … R13, R34)', () => {
  test.each([
    [
      { type: 'bookmark', cursor: 'e:1' },
      { kind: 'place', cursor: 'e:1' },
    ],
    [
      { type: 'heartbeat', cursor: 'e:1', time: 't' },
      { kind: 'place', cursor: 'e:1' },
    ],
    [{ type: 'heartbeat' }, { kind: 'other' }],
    [
      { type: 'draining', reconnect_after_ms: 7 },
      { kind: 'draining', reconnectAfterMs: 7 },
    ],
    [
      { type: 'lagged', dropped: 3, from: 1, to: 9 },
      { kind: 'lagged', dropped: 3, to: 9 },
    ],
    [{ type: 'expiring', expires_at: 't' }, { kind: 'token-expiring' }],
    [
      { type: 'close', code: 4403, reason: 'r' },
      { kind: 'close', code: 4403, reason: 'r' },
    ],
    [
      { type: 'error', code: 'c', message: 'm' },
      { kind: 'error', code: 'c', message: 'm' },
    ],
    [{ type: 'filter_update', status: 'success' }, { kind: 'other' }],
    [
      { seq: 1, event_type: 'a.b', n: 2, type: 'hello' },
      { kind: 'event', n: 2, event: { seq: 1, event_type: 'a.b', type: 'hello' } },
    ],
    [[], { kind: 'other' }],
    [null, { kind: 'other' }],
  ])('%j', (frame, expected) => {
    expect(readFrame(JSON.stringify(frame))).toEqual(expected)
  })

  test('hello of a server that says less than ours is understood', () => {
    expect(readFrame('{"type":"hello","epoch":"e","head":5}')).toEqual({
      kind: 'hello',
      hello: {
        connectionId: '',
        epoch: 'e',
        head: 5,
        oldest: 1,
        resumed: false,
        cursor: 'e:5',
        heartbeatMs: 25_000,
        complete: false,
      },
    })
  })

  test('takes any JSON, and refuses the rest by name', () => {
    const type = constantFrom('hello', 'reset', 'bookmark', 'lagged', 'draining', 'close', 'error', 'new')
    const frame = dictionary(
      constantFrom('type', 'cursor', 'seq', 'event_type', 'oldest', 'n'),
      oneof(jsonValue(), type),
    )
    assert(property(oneof(frame, jsonValue()), (value) => void readFrame(JSON.stringify(value))))
    const read = (text: string): unknown => {
      try {
        return readFrame(text).kind
      } catch (error) {
        return error instanceof InvalidInputError ? 'refused' : error
      }
    }
    assert(property(string(), (text) => typeof read(text) === 'string'))
  })
})
