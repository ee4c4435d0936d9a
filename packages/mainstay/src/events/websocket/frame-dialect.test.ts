import { inflateRawSync } from 'node:zlib'

import { assert, integer, property } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { parseJson } from '../../core/json.ts'
import { compatFormat, formatCompat } from '../format/compat.ts'
import { nativeFormat } from '../format/native.ts'
import { streamEvent } from '../testing/stream-event.ts'
import { countDigits, frameDialect, writeDigits } from './frame-dialect.ts'

interface Seen {
  readonly compressed: boolean
  readonly text: string
}

/** The texts of frames of a server. */
function read(bytes: Buffer): Seen[] {
  const seen: Seen[] = []
  for (let at = 0; at < bytes.length;) {
    const [first, short] = [bytes[at]!, bytes[at + 1]!]
    const [start, length] =
      short < 126
        ? [at + 2, short]
        : short === 126
          ? [at + 4, bytes.readUInt16BE(at + 2)]
          : [at + 10, bytes.readUInt32BE(at + 6)]
    const payload = bytes.subarray(start, start + length)
    const compressed = (first & 0x40) !== 0
    const tail = Buffer.from([0, 0, 0xff, 0xff])
    const plain = compressed ? inflateRawSync(Buffer.concat([payload, tail]), { finishFlush: 2 }) : payload
    seen.push({ compressed, text: plain.toString('utf8') })
    at = start + length
  }
  return seen
}

const small = streamEvent(1)
const large = streamEvent(2, { data: { text: 'größer '.repeat(400) } })
const huge = streamEvent(3, { data: { text: 'x'.repeat(70_000) } })

describe.each([false, true])('with compression %s', (compression) => {
  test.each([1, 8, 9, 98, 99_998])('R12 R26 frames of several sizes from counter %i on', (firstN) => {
    const dialect = frameDialect(nativeFormat, { compression })
    const seen = read(
      dialect.join(
        [small, large, huge].map((event) => dialect.encode(event)),
        firstN,
      ),
    )
    const expected = [small, large, huge].map((event, index) => ({ n: firstN + index, ...event }))
    expect(seen.map(({ text }) => parseJson(text, 'a frame'))).toEqual(expected)
    expect(seen.map(({ compressed }) => compressed)).toEqual([false, compression, compression])
  })

  test('R27 a frame without a counter is made once and is the same for everybody', () => {
    const dialect = frameDialect(compatFormat(), { compression })
    const encoded = dialect.encode(large)
    expect(dialect.join([encoded], 1)).toBe(dialect.join([encoded], 7))
    expect(read(dialect.join([encoded, encoded], 1))).toEqual([
      { compressed: compression, text: formatCompat(large) },
      { compressed: compression, text: formatCompat(large) },
    ])
  })
})

test('what a format has no word for is not sent', () => {
  const dialect = frameDialect(compatFormat())
  expect(dialect.control({ type: 'bookmark', cursor: 'e:1' })).toBeUndefined()
  const heartbeat = dialect.control({ type: 'heartbeat', cursor: 'e:1', time: '2026-01-01T00:00:00.000Z' })
  expect(read(heartbeat!)[0]!.text).toContain('"event_type":"heartbeat"')
})

test('R12 any counter is written as JSON writes it', () => {
  assert(
    property(integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (value) => {
      const digits = countDigits(value)
      const target = Buffer.alloc(digits)
      expect(writeDigits(target, 0, value, digits)).toBe(digits)
      expect(target.toString('latin1')).toBe(String(value))
    }),
  )
})
