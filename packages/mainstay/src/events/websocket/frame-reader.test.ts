import { array, assert, constantFrom, integer, nat, property, record, uint8Array } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { FrameReader } from './frame-reader.ts'

const LIMIT = 1000

type Heard =
  | readonly ['message', boolean, string, boolean]
  | readonly ['ping' | 'pong', string]
  | readonly ['close' | 'violation', number, string]

function listen(compression = false): { reader: FrameReader; heard: Heard[] } {
  const heard: Heard[] = []
  const reader = new FrameReader(
    { maxMessageBytes: LIMIT, compression },
    {
      onMessage: ({ text, payload, compressed }) =>
        heard.push(['message', text, payload.toString('latin1'), compressed]),
      onPing: (payload) => heard.push(['ping', payload.toString('latin1')]),
      onPong: (payload) => heard.push(['pong', payload.toString('latin1')]),
      onClose: (code, reason) => heard.push(['close', code, reason]),
      onViolation: (code, reason) => heard.push(['violation', code, reason]),
    },
  )
  return { reader, heard }
}

/** A frame as a client sends it. */
function masked(first: number, payload: Uint8Array | string, { length }: { length?: number } = {}): Buffer {
  const bytes = Buffer.from(payload as string, 'latin1')
  const said = length ?? bytes.length
  const header =
    said < 126
      ? Buffer.from([first, 0x80 | said])
      : said < 65_536
        ? Buffer.from([first, 0xfe, said >>> 8, said & 0xff])
        : Buffer.concat([Buffer.from([first, 0xff, 0, 0, 0, 0]), uint32(said)])
  const mask = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([header, mask, bytes.map((byte, index) => byte ^ mask[index % 4]!)])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

describe('frames of a client', () => {
  test.each<[string, Buffer[], Heard[]]>([
    ['a text', [masked(0x81, 'hello')], [['message', true, 'hello', false]]],
    ['an empty text', [masked(0x81, '')], [['message', true, '', false]]],
    ['a binary message', [masked(0x82, 'abc')], [['message', false, 'abc', false]]],
    ['a long text', [masked(0x81, 'x'.repeat(LIMIT))], [['message', true, 'x'.repeat(LIMIT), false]]],
    [
      'two in one piece',
      [masked(0x81, 'a'), masked(0x81, 'b')],
      [
        ['message', true, 'a', false],
        ['message', true, 'b', false],
      ],
    ],
    [
      'a message in parts',
      [masked(0x01, 'he'), masked(0x00, 'll'), masked(0x80, 'o')],
      [['message', true, 'hello', false]],
    ],
    [
      'a ping between parts',
      [masked(0x01, 'a'), masked(0x89, 'p'), masked(0x80, 'b')],
      [
        ['ping', 'p'],
        ['message', true, 'ab', false],
      ],
    ],
    ['a pong', [masked(0x8a, 'p')], [['pong', 'p']]],
    ['a close without a code', [masked(0x88, '')], [['close', 1005, '']]],
    ['a close with a reason', [masked(0x88, '\x03\xe8bye')], [['close', 1000, 'bye']]],
    ['nothing after a close', [masked(0x88, ''), masked(0x81, 'late')], [['close', 1005, '']]],
  ])('%s', (_what, frames, expected) => {
    const { reader, heard } = listen()
    reader.push(Buffer.concat(frames))
    expect(heard).toEqual(expected)
  })

  test('R26 a compressed message is handed on as it is', () => {
    const { reader, heard } = listen(true)
    reader.push(Buffer.concat([masked(0x41, 'a'), masked(0x80, 'b')]))
    expect(heard).toEqual([['message', true, 'ab', true]])
  })

  test.each<[string, Buffer, number]>([
    ['no mask', Buffer.from([0x81, 1, 0x61]), 1002],
    ['a reserved bit', masked(0xa1, 'x'), 1002],
    ['compression that was not agreed on', masked(0xc1, 'x'), 1002],
    ['an unknown opcode', masked(0x83, 'x'), 1002],
    ['an unknown control opcode', masked(0x8b, 'x'), 1002],
    ['a ping in parts', masked(0x09, 'x'), 1002],
    ['a long ping', masked(0x89, 'x'.repeat(126)), 1002],
    ['a part of nothing', masked(0x80, 'x'), 1002],
    ['a text within a text', Buffer.concat([masked(0x01, 'a'), masked(0x81, 'b')]), 1002],
    ['half a close code', masked(0x88, 'x'), 1002],
    ['a close code that is for nobody to send', masked(0x88, '\x03\xed'), 1002],
    ['a close code of no range', masked(0x88, '\x00\x01'), 1002],
    ['a close reason that is not UTF-8', masked(0x88, '\x03\xe8\xff'), 1007],
    ['a message that would be too long, before it has come', masked(0x81, '', { length: LIMIT + 1 }), 1009],
    ['a message of any length', Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 1009],
    ['parts that together are too long', Buffer.concat([masked(0x01, 'x'.repeat(LIMIT)), masked(0x80, 'y')]), 1009],
    [
      'parts without end',
      Buffer.concat([masked(0x01, ''), ...Array.from({ length: 1100 }, () => masked(0x00, ''))]),
      1009,
    ],
  ])('%s is refused, and nothing more is read', (_what, bytes, code) => {
    const { reader, heard } = listen()
    reader.push(bytes)
    reader.push(masked(0x81, 'more'))
    expect(heard).toEqual([['violation', code, expect.any(String)]])
  })

  test('however the network cuts the bytes, the same is heard', () => {
    const message = record({ first: constantFrom(0x81, 0x82, 0x89, 0x8a), size: constantFrom(0, 1, 7, 100, 125) })
    assert(
      property(array(message, { maxLength: 8 }), array(integer({ min: 1, max: 40 })), (messages, cuts) => {
        const bytes = Buffer.concat(messages.map(({ first, size }) => masked(first, 'y'.repeat(size))))
        const whole = listen()
        whole.reader.push(Buffer.from(bytes))
        const parts = listen()
        let at = 0
        for (const cut of [...cuts, bytes.length]) {
          parts.reader.push(Buffer.from(bytes.subarray(at, at + cut)))
          at += cut
        }
        expect(parts.heard).toEqual(whole.heard)
        expect(whole.heard).toHaveLength(messages.length)
      }),
      { numRuns: 200 },
    )
  })

  test('no bytes make it throw', () => {
    assert(
      property(array(uint8Array({ maxLength: 300 }), { maxLength: 10 }), nat(1), (pieces, compression) => {
        const { reader, heard } = listen(compression === 1)
        for (const piece of pieces) reader.push(Buffer.from(piece))
        expect(heard.filter(([kind]) => kind === 'violation' || kind === 'close').length).toBeLessThanOrEqual(1)
      }),
      { numRuns: 300 },
    )
  })
})
