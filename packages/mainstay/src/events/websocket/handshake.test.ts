import { describe, expect, test } from 'vitest'

import { deflate, inflate, offersDeflate } from './deflate.ts'
import { checkUpgrade, offeredProtocols, responseHead } from './handshake.ts'

const good = {
  upgrade: 'WebSocket',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
}

test('R23 a good request is answered with the digest of its key (RFC 6455, 1.3)', () => {
  expect(checkUpgrade('GET', good)).toEqual({ accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' })
})

test.each([
  ['another method', 'POST', good, 405],
  ['another protocol', 'GET', { ...good, upgrade: 'h2c' }, 426],
  ['no key', 'GET', { ...good, 'sec-websocket-key': undefined }, 400],
  ['a short key', 'GET', { ...good, 'sec-websocket-key': 'abc' }, 400],
  ['an old version', 'GET', { ...good, 'sec-websocket-version': '8' }, 426],
])('R23 %s is refused', (_what, method, headers, status) => {
  expect(checkUpgrade(method, headers as typeof good)).toMatchObject({ status })
})

test('R23 subprotocols are taken in the order of the client', () => {
  expect(offeredProtocols({ 'sec-websocket-protocol': ' b ,a,, c' })).toEqual(['b', 'a', 'c'])
  expect(offeredProtocols({})).toEqual([])
})

test('the head of an answer ends with an empty line', () => {
  expect(responseHead(403, { A: 'b', C: 'd' })).toBe('HTTP/1.1 403 Forbidden\r\nA: b\r\nC: d\r\n\r\n')
})

describe('compression (R26)', () => {
  test.each([
    [undefined, false],
    ['permessage-deflate', true],
    ['permessage-deflate; client_max_window_bits', true],
    ['permessage-deflate; server_no_context_takeover; client_max_window_bits=10', true],
    ['permessage-deflate; server_max_window_bits=8', false],
    ['permessage-deflate; server_max_window_bits=8, permessage-deflate', true],
    ['permessage-deflate; unheard_of', false],
    ['permessage-deflate; client_max_window_bits; client_max_window_bits', false],
    ['x-webkit-deflate-frame', false],
  ])('R26 the offer %s is taken: %s', (offer, expected) => {
    expect(offersDeflate(offer)).toBe(expected)
  })

  test('R26 what becomes too long is not inflated', () => {
    const compressed = deflate(Buffer.alloc(100_000, 'x'))
    expect(inflate(compressed, 100_000)).toHaveLength(100_000)
    expect(() => inflate(compressed, 65_536)).toThrow(RangeError)
    expect(() => inflate(Buffer.from([0xff, 0xff]), 65_536)).toThrow('invalid')
  })
})
