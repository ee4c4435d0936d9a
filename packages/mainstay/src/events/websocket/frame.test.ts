import { expect, test } from 'vitest'

import { closeFrame, frame, headerLength, textFrame } from './frame.ts'

test.each([
  [0, [0x81, 0]],
  [125, [0x81, 125]],
  [126, [0x81, 126, 0, 126]],
  [65_535, [0x81, 126, 0xff, 0xff]],
  [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
])('R27 a text of %i bytes has the header %j', (length, header) => {
  const bytes = frame(1, Buffer.alloc(length, 'x'))
  expect([...bytes.subarray(0, header.length)]).toEqual(header)
  expect(bytes.length).toBe(headerLength(length) + length)
})

test('R26 a compressed frame says so', () => {
  expect(frame(1, Buffer.from('x'), { compressed: true })[0]).toBe(0xc1)
})

test('R27 the payload is UTF-8', () => {
  expect(textFrame('ü€𝄞').subarray(2).toString('utf8')).toBe('ü€𝄞')
})

test.each([
  ['short', 'short'],
  ['', ''],
  ['x'.repeat(200), 'x'.repeat(123)],
  // 41 letters of three bytes fill 123 bytes; a letter that does not fit is left out whole.
  ['€'.repeat(50), '€'.repeat(41)],
  [`x${'€'.repeat(50)}`, `x${'€'.repeat(40)}`],
  [`xx${'𝄞'.repeat(50)}`, `xx${'𝄞'.repeat(30)}`],
])('a close frame holds as much of its reason as fits: %j', (reason, kept) => {
  const bytes = closeFrame(4408, reason)
  expect(bytes[0]).toBe(0x88)
  expect(bytes[1]).toBe(bytes.length - 2)
  expect(bytes.readUInt16BE(2)).toBe(4408)
  expect(bytes.subarray(4).toString('utf8')).toBe(kept)
})
