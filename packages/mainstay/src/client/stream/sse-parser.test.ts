import { array, assert, constantFrom, integer, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { SseParser, type SseMessage } from './sse-parser.ts'

function parse(...pieces: readonly string[]): SseMessage[] {
  const parser = new SseParser()
  return pieces.flatMap((piece) => parser.push(piece))
}

describe('reading a text/event-stream (R40)', () => {
  test.each<[name: string, text: string, expected: SseMessage[]]>([
    ['a message', 'data: a\n\n', [{ event: 'message', data: 'a', id: '' }]],
    ['a named message with an id', 'id: e:1\nevent: x.y\ndata: {}\n\n', [{ event: 'x.y', data: '{}', id: 'e:1' }]],
    ['several lines', 'data: a\ndata:b\ndata:  c\n\n', [{ event: 'message', data: 'a\nb\n c', id: '' }]],
    [
      'an id stays',
      'id: 1\ndata: a\n\ndata: b\n\n',
      [
        { event: 'message', data: 'a', id: '1' },
        { event: 'message', data: 'b', id: '1' },
      ],
    ],
    [
      'a name does not',
      'event: x\ndata: a\n\ndata: b\n\n',
      [
        { event: 'x', data: 'a', id: '' },
        { event: 'message', data: 'b', id: '' },
      ],
    ],
    ['comments and unknown fields are nothing', ': beat\n\nretry: 3000\nfoo: bar\nfoo\n\n', []],
    [
      'carriage returns',
      'data: a\r\rdata: b\r\n\r\n',
      [
        { event: 'message', data: 'a', id: '' },
        { event: 'message', data: 'b', id: '' },
      ],
    ],
    ['what is not complete waits', 'data: a\n', []],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toEqual(expected)
  })

  test('gives the same wherever the text is cut', () => {
    const line = constantFrom('data: x', 'data:', 'id: 7', 'event: e', ': c', '', '', 'data: ü🚀')
    const end = constantFrom('\n', '\r\n', '\r')
    assert(
      property(array(line), end, array(integer({ min: 0, max: 200 })), (lines, mark, cuts) => {
        const text = lines.map((each) => each + mark).join('') + '\n'
        const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length]
        const pieces = places.slice(1).map((place, index) => text.slice(places[index], place))
        expect(parse(...pieces)).toEqual(parse(text))
      }),
    )
  })

  test('takes any text', () => {
    assert(property(array(string()), (pieces) => void parse(...pieces)))
  })
})
