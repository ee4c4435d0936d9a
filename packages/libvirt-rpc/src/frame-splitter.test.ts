import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LibvirtProtocolError } from './errors.ts'
import { decodeFrame, encodeFrame } from './frame.ts'
import { FrameSplitter } from './frame-splitter.ts'
import { Limit } from './limits.ts'

const header = { program: 0x2000_8086, version: 1, procedure: 59, type: 1, serial: 7, status: 0 }
const frameOf = (body: Uint8Array): Buffer => encodeFrame(header, (writer) => writer.opaque(body))

/** What `run` throws; `undefined` when it does not. */
const failureOf = (run: () => unknown): unknown => {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

describe('frames (monitors.md 7.6)', () => {
  test('a message is its length, six header words and the body', () => {
    const bytes = encodeFrame(header, (writer) => writer.string('abcd'))
    expect(bytes.toString('hex')).toBe(
      ['00000024', '20008086', '00000001', '0000003b', '00000001', '00000007', '00000000', '00000004', '61626364'].join(
        '',
      ),
    )
    expect(decodeFrame(bytes)).toEqual({ ...header, body: Buffer.from('0000000461626364', 'hex') })
  })

  test('a message that comes byte by byte is whole with its last byte', () => {
    const splitter = new FrameSplitter()
    const bytes = frameOf(Buffer.from('abcdefgh'))
    const seen = [...bytes].map((byte) => [...splitter.push(Buffer.from([byte]))])
    expect(seen.slice(0, -1).flat()).toEqual([])
    expect(seen.at(-1)).toEqual([bytes])
  })

  test('many messages in one chunk come out one by one, and the rest is kept', () => {
    const splitter = new FrameSplitter()
    const frames = ['a', 'bb', 'ccc'].map((text) => frameOf(Buffer.from(text)))
    const next = frameOf(Buffer.from('dddd'))
    expect([...splitter.push(Buffer.concat([...frames, next.subarray(0, 10)]))]).toEqual(frames)
    expect(splitter.kept).toBe(10)
    expect([...splitter.push(next.subarray(10))]).toEqual([next])
    expect(splitter.kept).toBe(0)
  })

  test.each([
    ['zero', 0],
    ['shorter than a header', 27],
    ['one byte above the limit', Limit.MESSAGE_BYTES + 1],
    ['four gigabytes', 0xffff_ffff],
    ['an HTTP answer', Buffer.from('HTTP').readUInt32BE(0)],
  ])('a length word of %s is refused as soon as it is there', (_what, length) => {
    const word = Buffer.alloc(4)
    word.writeUInt32BE(length)
    expect(() => [...new FrameSplitter().push(word)]).toThrow(LibvirtProtocolError)
  })

  test('property: the messages do not depend on how the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 })
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }), (list, cuts) => {
        const frames = list.map((body) => frameOf(body))
        const stream = Buffer.concat(frames)
        const splitter = new FrameSplitter()
        const seen: Buffer[] = []
        for (let at = 0, index = 0; at < stream.length; index++) {
          const size = cuts[index % cuts.length]!
          for (const frame of splitter.push(stream.subarray(at, at + size))) seen.push(frame)
          at += size
        }
        expect(seen).toEqual(frames)
        expect(splitter.kept).toBe(0)
      }),
    )
  })

  test('property: random bytes are messages or refused, and never more is kept than one message may have', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 30 }), (chunks) => {
        const splitter = new FrameSplitter()
        const failure = failureOf(() => {
          for (const chunk of chunks) for (const frame of splitter.push(Buffer.from(chunk))) decodeFrame(frame)
        })
        expect(failure === undefined || failure instanceof LibvirtProtocolError).toBe(true)
        expect(splitter.kept).toBeLessThan(Limit.MESSAGE_BYTES)
      }),
      { numRuns: 1_000 },
    )
  })
})
