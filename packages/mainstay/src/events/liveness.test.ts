import { connect, type Socket } from 'node:net'

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { nextTurn } from '../core/turn.ts'
import { MemoryHistory } from './memory/history.ts'
import { MemoryEventLog } from './memory/log.ts'
import { CLOUDEVENTS_PROTOCOL, STREAM_PATH } from './stream-service.ts'
import { newEvent, newEvents } from './testing/new-event.ts'
import { StreamLab, spokenTokens } from './testing/stream-lab.ts'
import { waitFor } from './testing/wait-for.ts'

// Real sockets on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const START = Date.UTC(2026, 0, 1)

let clock: ManualClock
let lab: StreamLab

beforeEach(async () => {
  clock = new ManualClock(START)
  lab = await StreamLab.start({ clock })
})

afterEach(async () => {
  await lab[Symbol.asyncDispose]()
})

describe('signs of life (R33)', () => {
  test('R33 a heartbeat after 25 s of silence, past every filter, without a place', async () => {
    const client = await lab.listen({ query: 'event=nothing.at.all' })
    await clock.advance(24_000)
    expect(client.control('heartbeat')).toEqual([])
    await clock.advance(1000)
    await client.until('a heartbeat', (each) => each.control('heartbeat').length === 1)
    const { epoch } = await lab.log.extent()
    const time = new Date(START + 25_000).toISOString()
    expect(client.control('heartbeat')).toEqual([{ type: 'heartbeat', cursor: `${epoch}:0`, time }])
    expect(await lab.log.extent()).toMatchObject({ head: 0 })
  })

  test('R33 no heartbeat while events come', async () => {
    const client = await lab.listen()
    for (let second = 0; second < 60; second += 10) {
      await lab.log.append([newEvent(second)])
      await client.until('the event', ({ events }) => events.length === second / 10 + 1)
      await clock.advance(10_000)
    }
    expect(client.control('heartbeat')).toEqual([])
  })

  test('E-215 a half-open peer that answers no ping is gone within 35 s', async () => {
    const client = await lab.listen({ autoPong: false })
    let pings = 0
    client.socket.on('ping', () => (pings += 1))
    await clock.advance(25_000)
    await waitFor('the ping', () => pings === 1)
    expect(lab.service.connections).toBe(1)
    await clock.advance(10_000)
    await waitFor('the connection to be gone', () => lab.service.connections === 0)
    expect(await client.untilClosed()).toMatchObject({ code: 1006 })
  })

  test('R33 a peer that answers, or says anything else, stays', async () => {
    const [polite, chatty] = [await lab.listen(), await lab.listen({ autoPong: false })]
    let pings = 0
    polite.socket.on('ping', () => (pings += 1))
    let answers = 0
    for (let round = 1; round <= 4; round += 1) {
      await clock.advance(24_000)
      await waitFor('the ping', () => pings === round)
      chatty.say({ action: 'set_filters' })
      answers += 1
      await chatty.until('the answer', (each) => each.control('filter_update').length === answers)
      // The answer to the ping is on its way as well; a round trip of another connection does not prove that it is here.
      polite.socket.ping()
      const pong = Promise.withResolvers<void>()
      polite.socket.once('pong', () => pong.resolve())
      await pong.promise
    }
    expect(lab.service.connections).toBe(2)
  })

  test('R33 a client that closes is let go', async () => {
    const client = await lab.listen()
    client.socket.close(1000, 'done')
    expect(await client.untilClosed()).toEqual({ code: 1000, reason: 'done' })
    await waitFor('the connection to be gone', () => lab.service.connections === 0)
    expect(lab.service.hub.subscribers.size).toBe(0)
  })
})

describe('bookmarks (R13)', () => {
  test('R13 E-212 a silent client learns its cursor, and resumes with it past the retention', async () => {
    const log = new MemoryEventLog({ clock, retention: { maxAgeMs: 1e12, maxEvents: 10, maxBytes: 1e12 } })
    await using own = await StreamLab.start({ clock, log })
    const client = await own.listen({ query: 'event=*.port.**' })
    await log.append(newEvents(20, 'a'))
    await own.settled()
    await clock.advance(11_000)
    await client.until('a bookmark', (each) => each.control('bookmark').length === 1)
    const { epoch } = await log.extent()
    expect(client.control('bookmark')).toEqual([{ type: 'bookmark', cursor: `${epoch}:20` }])
    client.cut()
    await log.append(newEvents(5, 'b'))
    await log.trim()
    expect(await log.extent()).toMatchObject({ oldest: 16 })
    const again = await own.listen({ query: `event=*.port.**&since=${epoch}:20` })
    expect(await again.hello()).toMatchObject({ resumed: true })
    // Where it began it would have been too late.
    expect(await own.connect({ query: `since=${epoch}:0` }).untilClosed()).toMatchObject({ code: 4410 })
  })

  test('R13 no bookmark while nothing happens, and none right after an event', async () => {
    const client = await lab.listen()
    await clock.advance(20_000)
    await lab.log.append([newEvent(1)])
    await client.until('the event', ({ events }) => events.length === 1)
    await clock.advance(20_000)
    expect(client.control('bookmark')).toEqual([])
  })

  test('R13 a bookmark in CloudEvents is a CloudEvent', async () => {
    const client = lab.connect({ query: 'event=none', protocols: [CLOUDEVENTS_PROTOCOL] })
    await client.until('hello', ({ frames }) => frames.length === 1)
    await lab.log.append([newEvent(1)])
    await lab.settled()
    await clock.advance(11_000)
    await client.until('the bookmark', ({ frames }) => frames.length === 2)
    expect(client.frames[1]).toMatchObject({ specversion: '1.0', type: 'org.mainstay.stream.bookmark' })
  })
})

describe('the end of a token (R30)', () => {
  const expiring = (ms: number): string => `project:p1:expires:${START + ms}`

  test('E-213 R30 it is announced 60 s before, and closes with 4401', async () => {
    await using own = await StreamLab.start({ clock, authenticate: spokenTokens })
    const client = await own.listen({ headers: { authorization: `Bearer ${expiring(100_000)}` } })
    await clock.advance(39_000)
    expect(client.control('expiring')).toEqual([])
    await clock.advance(2000)
    await client.until('the warning', (each) => each.control('expiring').length === 1)
    expect(client.control('expiring')).toEqual([
      { type: 'expiring', expires_at: new Date(START + 100_000).toISOString() },
    ])
    // It answers pings meanwhile.
    for (let second = 41; second < 101; second += 10) {
      client.socket.ping()
      await clock.advance(10_000)
    }
    expect(await client.untilClosed()).toMatchObject({ code: 4401 })
  })

  test('R30 a new token of the same holder keeps it open; of another it is refused', async () => {
    await using own = await StreamLab.start({ clock, authenticate: spokenTokens })
    const client = await own.listen({ headers: { authorization: `Bearer ${expiring(70_000)}` } })
    client.say({ action: 'refresh', token: 'project:p2' })
    client.say({ action: 'refresh', token: 'nonsense' })
    await client.until('two complaints', (each) => each.control('error').length === 2)
    expect(client.control('error').map(({ code }) => code)).toEqual(['bad_token', 'bad_token'])
    client.say({ action: 'refresh', token: expiring(500_000) })
    await client.until('the answer', (each) => each.control('refreshed').length === 1)
    expect(client.control('refreshed')).toEqual([
      { type: 'refreshed', expires_at: new Date(START + 500_000).toISOString() },
    ])
    for (let second = 0; second < 90; second += 10) {
      const pong = Promise.withResolvers<void>()
      client.socket.once('pong', () => pong.resolve())
      client.socket.ping()
      await pong.promise
      await clock.advance(10_000)
    }
    expect(client.closed).toBeUndefined()
    expect(client.control('expiring')).toEqual([])
  })
})

describe('going down (R34)', () => {
  test('E-216 every client is told when to come back, closed with 1012, and loses nothing', async () => {
    const history = new MemoryHistory(new SystemIds())
    const log = new MemoryEventLog({ clock, history })
    const leaving = await StreamLab.start({ clock, log })
    await using staying = await StreamLab.start({ clock, log: new MemoryEventLog({ clock, history }) })
    const clients = await Promise.all(Array.from({ length: 10 }, async () => await leaving.listen()))
    await log.append(newEvents(50, 'before'))
    await leaving.settled()
    const stopping = leaving.stop()
    await log.append(newEvents(50, 'during'))
    for (const client of clients) {
      expect(await client.untilClosed()).toMatchObject({ code: 1012 })
      expect(client.frames.at(-1)).toMatchObject({ type: 'draining' })
    }
    const waits = clients.map(({ frames }) => Number(frames.at(-1)!['reconnect_after_ms']))
    expect(waits.every((ms) => ms >= 0 && ms <= 5000)).toBe(true)
    expect(new Set(waits).size).toBeGreaterThan(1)
    await stopping
    for (const client of clients) {
      const { cursor } = client.events.at(-1) ?? { cursor: client.frames[0]!['cursor'] as string }
      const again = await staying.listen({ query: `since=${cursor}` })
      await again.until('the rest', ({ seqs }) => seqs.at(-1) === 100 || client.seqs.at(-1) === 100)
      expect([...client.seqs, ...again.seqs]).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
    }
  })

  test('R34 nobody new is let in meanwhile, and whoever does not read is not waited for long', async () => {
    const client = await lab.listen()
    client.socket.pause()
    let count = 0
    const large = { data: { text: 'x'.repeat(64 * 1024) } }
    const stuck = (): boolean => [...lab.service.hub.subscribers.keys()][0]!.figures.unsentBytes > 0
    while (!stuck()) {
      await lab.log.append(newEvents(10, `${(count += 1)}-`, large))
      await lab.settled()
      await nextTurn()
    }
    const stopping = lab.stop()
    const { status } = await lab.connect().untilRefused()
    expect(status).toBe(503)
    expect(lab.service.connections).toBe(1)
    await clock.advance(2000)
    await clock.advance(3000)
    await stopping
    expect(lab.service.connections).toBe(0)
  })
})

describe('what is no WebSocket', () => {
  /** Sends a request as it is. @returns the answer's head, when the server has closed */
  async function ask(lines: readonly string[]): Promise<string> {
    const socket: Socket = connect(Number(new URL(lab.url).port), '127.0.0.1')
    let answer = ''
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    await waitFor('the answer', () => answer.includes('\r\n\r\n'))
    socket.destroy()
    return answer
  }

  const upgrade = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket']

  test.each([
    ['another path', ['GET /v1/nothing HTTP/1.1', ...upgrade], 404],
    ['no key', [`GET ${STREAM_PATH} HTTP/1.1`, ...upgrade, 'Sec-WebSocket-Version: 13'], 400],
    [
      'an old version',
      [
        `GET ${STREAM_PATH} HTTP/1.1`,
        ...upgrade,
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 8',
      ],
      426,
    ],
    [
      'an upgrade to something else',
      [`GET ${STREAM_PATH} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: h2c'],
      404,
    ],
    ['no upgrade at all', [`GET ${STREAM_PATH} HTTP/1.1`, 'Host: x'], 404],
  ])('R23 %s is answered as HTTP', async (_what, lines, status) => {
    expect(await ask(lines)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })
})
