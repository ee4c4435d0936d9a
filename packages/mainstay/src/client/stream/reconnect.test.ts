import { assert, double, integer, property } from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  afterEnd,
  fallbackTransport,
  firstTransport,
  type EndedLink,
  type LinkEnd,
  type TransportName,
} from './reconnect.ts'

const BROKEN: LinkEnd = { kind: 'failed', message: 'broken' }
const ENDED: EndedLink = { end: BROKEN, lastedMs: null, failures: 0, hintMs: null, chance: 0.999_999 }
const closed = (code: number): LinkEnd => ({ kind: 'closed', code, reason: '' })
const refused = (status: number, retryAfterMs: number | null = null): LinkEnd => ({
  kind: 'refused',
  status,
  retryAfterMs,
  message: 'no',
})

describe('when to connect again (R40)', () => {
  test.each([
    [0, 500],
    [1, 1000],
    [2, 2000],
    [5, 16_000],
    [6, 30_000],
    [1_000_000, 30_000],
  ])('R40 after %i failures within %i ms, for ever', (failures, bound) => {
    const next = afterEnd({ ...ENDED, failures })
    expect(next).toMatchObject({ kind: 'again', delayMs: bound - 1, failures: failures + 1 })
  })

  test('R40 full jitter: any wait between nothing and the bound', () => {
    const chance = double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    assert(
      property(integer({ min: 0, max: 40 }), chance, (failures, each) => {
        const next = afterEnd({ ...ENDED, failures, chance: each })
        if (next.kind === 'stop') throw new Error('It gave up.')
        expect(next.delayMs).toBeGreaterThanOrEqual(0)
        expect(next.delayMs).toBeLessThan(Math.min(30_000, 500 * 2 ** failures))
      }),
    )
    expect(afterEnd({ ...ENDED, failures: 9, chance: 0 })).toMatchObject({ delayMs: 0 })
  })

  test.each([
    [9999, 6],
    [10_000, 1],
  ])('R40 a connection that lasted %i ms leaves %i failures', (lastedMs, failures) => {
    expect(afterEnd({ ...ENDED, failures: 5, lastedMs })).toMatchObject({ failures })
  })

  test('R40 when the server says, if it said it', () => {
    expect(afterEnd({ ...ENDED, end: closed(1012), hintMs: 4321 })).toMatchObject({ delayMs: 4321 })
    expect(afterEnd({ ...ENDED, end: refused(429, 60_000) })).toMatchObject({ delayMs: 60_000 })
  })

  test.each([
    [closed(1003), 'stop'],
    [closed(1009), 'stop'],
    [closed(4400), 'stop'],
    [closed(4403), 'stop'],
    [closed(1000), 'again'],
    [closed(1006), 'again'],
    [closed(1011), 'again'],
    [closed(1012), 'again'],
    [closed(4401), 'again'],
    [closed(4408), 'again'],
    [closed(4410), 'again'],
    [closed(4429), 'again'],
    [refused(302), 'stop'],
    [refused(400), 'stop'],
    [refused(403), 'stop'],
    [refused(404), 'stop'],
    [refused(401), 'again'],
    [refused(410), 'again'],
    [refused(429), 'again'],
    [refused(500), 'again'],
    [refused(503), 'again'],
    [BROKEN, 'again'],
    [{ kind: 'silent', silentMs: 1 } as const, 'again'],
    [{ kind: 'gap' } as const, 'again'],
  ])('R40 after %j: %s', (end, kind) => {
    expect(afterEnd({ ...ENDED, end }).kind).toBe(kind)
  })

  test('R40 with another token after 4401 and 401, from another place after 4410 and 410', () => {
    for (const end of [closed(4401), refused(401)]) {
      expect(afterEnd({ ...ENDED, end })).toMatchObject({ renewToken: true, forgetPlace: false })
    }
    for (const end of [closed(4410), refused(410)]) {
      expect(afterEnd({ ...ENDED, end })).toMatchObject({ renewToken: false, forgetPlace: true })
    }
  })

  test('a connection that the client itself ended is no failure', () => {
    expect(afterEnd({ ...ENDED, end: { kind: 'own', why: 'w' }, failures: 3 })).toMatchObject({
      delayMs: 0,
      failures: 3,
    })
  })
})

describe('which way to connect (R40)', () => {
  const both: readonly TransportName[] = ['websocket', 'sse']
  const blocked = closed(1006)

  test.each<[worked: readonly TransportName[], possible: readonly TransportName[], expected: TransportName]>([
    [[], both, 'websocket'],
    [['websocket'], both, 'websocket'],
    [['sse'], both, 'sse'],
    [['sse', 'websocket'], both, 'websocket'],
    [[], ['sse'], 'sse'],
  ])('R40 after %j had worked a round of %j begins with %s', (worked, possible, expected) => {
    expect(firstTransport({ worked: new Set(worked), possible })).toBe(expected)
  })

  test.each<[name: string, tried: TransportName, end: LinkEnd, opened: boolean, expected: TransportName | undefined]>([
    ['a WebSocket that does not get through', 'websocket', blocked, false, 'sse'],
    ['one that nobody answers', 'websocket', { kind: 'silent', silentMs: 1 }, false, 'sse'],
    ['one that was open', 'websocket', blocked, true, undefined],
    ['one that was refused with a reason', 'websocket', closed(4429), false, undefined],
    ['a ticket that was refused', 'websocket', refused(503), false, undefined],
    ['the fallback itself', 'sse', BROKEN, false, undefined],
  ])('R40 %s', (_name, tried, end, opened, expected) => {
    expect(fallbackTransport({ tried, end, opened }, { worked: new Set(), possible: both })).toBe(expected)
  })

  test('R40 where only server-sent events have worked, a WebSocket is their fallback', () => {
    const history = { worked: new Set(['sse'] as const), possible: both }
    expect(fallbackTransport({ tried: 'sse', end: BROKEN, opened: false }, history)).toBe('websocket')
    const alone = { worked: new Set<TransportName>(), possible: ['websocket'] as const }
    expect(fallbackTransport({ tried: 'websocket', end: blocked, opened: false }, alone)).toBeUndefined()
  })
})
