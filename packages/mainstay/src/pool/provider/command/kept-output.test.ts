import { array, assert, integer, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { KeptOutput } from './kept-output.ts'

function keep(maxBytes: number, chunks: readonly string[]): KeptOutput {
  const output = new KeptOutput(maxBytes)
  for (const chunk of chunks) output.push(Buffer.from(chunk))
  return output
}

describe('output that is kept', () => {
  test.each([
    [10, ['abc', 'def'], 'abcdef', 0],
    [10, ['0123456789'], '0123456789', 0],
    [10, ['01234', 'x', '56789'], '01234\n[1 bytes not kept]\n56789', 1],
    [4, ['ab', 'c'.repeat(100), 'yz'], 'ab\n[100 bytes not kept]\nyz', 100],
    [10, [], '', 0],
  ])('of %i bytes from %j is %j', (maxBytes, chunks, text, dropped) => {
    const output = keep(maxBytes, chunks)
    expect(output.text()).toBe(text)
    expect(output.droppedBytes).toBe(dropped)
  })

  test('is the same however it came in pieces', () => {
    const pieces = array(string({ unit: 'binary-ascii', maxLength: 40 }))
    assert(
      property(pieces, integer({ min: 1, max: 50 }), (chunks, half) => {
        const whole = keep(2 * half, [chunks.join('')])
        const inPieces = keep(2 * half, chunks)
        expect(inPieces.text()).toBe(whole.text())
        expect(inPieces.droppedBytes).toBe(Math.max(0, chunks.join('').length - 2 * half))
      }),
    )
  })
})
