import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LibvirtArgumentError, LibvirtProtocolError } from './errors.ts'
import { XdrReader } from './xdr-reader.ts'
import { XdrWriter } from './xdr-writer.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const written = (write: (writer: XdrWriter) => void): string => {
  const writer = new XdrWriter()
  write(writer)
  return writer.bytes().toString('hex')
}

/** What `run` throws; `undefined` when it does not. */
const failureOf = (run: () => unknown): unknown => {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}
describe('XDR (RFC 4506)', () => {
  test.each([
    // what, write, wire
    ['a negative integer', (w: XdrWriter) => w.i32(-2), 'fffffffe'],
    ['the largest unsigned integer', (w: XdrWriter) => w.u32(0xffff_ffff), 'ffffffff'],
    ['a string is filled with zeros up to four bytes', (w: XdrWriter) => w.string('hello'), '0000000568656c6c6f000000'],
    ['a string of four bytes is not filled', (w: XdrWriter) => w.string('host'), '00000004686f7374'],
    ['a string counts bytes, not characters', (w: XdrWriter) => w.string('ä'), '00000002c3a40000'],
    ['an absent value', (w: XdrWriter) => w.optional(undefined, (inner, v: number) => inner.i32(v)), '00000000'],
    ['a present value', (w: XdrWriter) => w.optional(7, (inner, v) => inner.i32(v)), '0000000100000007'],
    ['an array', (w: XdrWriter) => w.array([1, 2], 2, (inner, v) => inner.i32(v)), '000000020000000100000002'],
    ['a fixed number of bytes', (w: XdrWriter) => w.opaque(hex('0102030405')), '0102030405000000'],
  ])('writes %s', (_what, write, wire) => {
    expect(written(write)).toBe(wire)
  })

  test('keeps what was written when the buffer grows under a number', () => {
    const filler = 'x'.repeat(252)
    expect(written((w) => w.string(filler).u32(0xaabbccdd)).endsWith('aabbccdd')).toBe(true)
  })

  test.each([
    ['a text longer than its limit', (w: XdrWriter) => w.string('abc', 2)],
    ['a list longer than its limit', (w: XdrWriter) => w.array([1, 2], 1, (inner, v) => inner.i32(v))],
    ['a number beyond 32 bits', (w: XdrWriter) => w.u32(2 ** 32)],
    ['a negative number where none may be', (w: XdrWriter) => w.u32(-1)],
    ['a fraction', (w: XdrWriter) => w.i32(1.5)],
    ['no number', (w: XdrWriter) => w.i32(Number.NaN)],
  ])('refuses to write %s', (_what, write) => {
    expect(() => written(write)).toThrow(LibvirtArgumentError)
  })

  test.each([
    ['an integer of three bytes', '010203', (r: XdrReader) => r.i32()],
    ['a string cut short', '00000005 6865', (r: XdrReader) => r.string()],
    ['a string without its filling', '00000005 68656c6c6f', (r: XdrReader) => r.string()],
    ['a string above its limit', '00000003 61626300', (r: XdrReader) => r.string(2)],
    ['a string of four gigabytes', 'ffffffff', (r: XdrReader) => r.string()],
    ['an array of four billion items', 'ffffffff', (r: XdrReader) => r.array(16_384, (inner) => inner.i32())],
    ['an array with fewer items than it claims', '00000002 00000001', (r: XdrReader) => r.array(9, (i) => i.i32())],
    ['an optional value that is neither there nor absent', '00000002', (r: XdrReader) => r.optional((i) => i.i32())],
  ])('refuses to read %s', (_what, wire, read) => {
    expect(() => read(new XdrReader(hex(wire)))).toThrow(LibvirtProtocolError)
  })

  test('property: what was written is read back, and nothing is left', () => {
    const item = fc.oneof(
      fc.record({ kind: fc.constant('i32' as const), value: fc.integer() }),
      fc.record({ kind: fc.constant('u32' as const), value: fc.nat() }),
      fc.record({ kind: fc.constant('string' as const), value: fc.string({ unit: 'grapheme', maxLength: 400 }) }),
    )
    fc.assert(
      fc.property(fc.array(item, { maxLength: 50 }), (items) => {
        const writer = new XdrWriter()
        for (const { kind, value } of items) {
          if (kind === 'string') writer.string(value)
          else writer[kind](value)
        }
        const reader = new XdrReader(writer.bytes())
        expect(items.map(({ kind }) => reader[kind]())).toEqual(items.map(({ value }) => value))
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  test('property: random bytes are read or refused, never anything else', () => {
    const reads = [
      (r: XdrReader) => r.i32(),
      (r: XdrReader) => r.u64(),
      (r: XdrReader) => r.double(),
      (r: XdrReader) => r.string(),
      (r: XdrReader) => r.optional((inner) => inner.string()),
      (r: XdrReader) => r.array(100, (inner) => inner.array(100, (deep) => deep.string())),
    ]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...reads), (bytes, read) => {
        const failure = failureOf(() => read(new XdrReader(Buffer.from(bytes))))
        expect(failure === undefined || failure instanceof LibvirtProtocolError).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})
