import { request as httpRequest, type IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts'
import { newEvent, newEvents } from '../testing/new-event.ts'
import { StreamLab, spokenTokens } from '../testing/stream-lab.ts'
import { waitFor } from '../testing/wait-for.ts'
import { SSE_PATH } from './routes.ts'

// Real sockets on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

/** One block of the stream. */
interface Block {
  readonly id?: string
  readonly event?: string
  readonly data?: JsonObject
  readonly retry?: string
  readonly comment?: string
}

/** Reads a stream as it is written, comments included. */
class SseReader {
  readonly blocks: Block[] = []
  status = 0
  headers: IncomingMessage['headers'] = {}
  body = ''
  ended = false
  response: IncomingMessage | undefined
  #rest = ''

  constructor(url: string, { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {}) {
    const request = httpRequest(`${url}${SSE_PATH}?${query}`, { headers })
    request.on('response', (response) => {
      this.response = response
      this.status = response.statusCode ?? 0
      this.headers = response.headers
      const stream = response.headers['content-encoding'] === 'gzip' ? response.pipe(createGunzip()) : response
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => this.#take(text))
      stream.on('end', () => (this.ended = true))
      stream.on('error', () => (this.ended = true))
    })
    request.on('error', () => (this.ended = true))
    request.end()
    this.cut = () => request.destroy()
  }

  readonly cut: () => void

  get events(): Block[] {
    return this.blocks.filter(({ data }) => data !== undefined && 'event_type' in data)
  }

  named(event: string): Block[] {
    return this.blocks.filter((block) => block.event === event)
  }

  async until(what: string, condition: (reader: this) => boolean): Promise<void> {
    await waitFor(what, () => condition(this) || this.ended)
    if (!condition(this))
      throw new Error(`The stream ended before ${what} with ${this.status}: ${this.body.slice(-500)}`)
  }

  #take(text: string): void {
    this.body += text
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop()!
    for (const block of blocks) this.blocks.push(parse(block))
  }
}

function parse(block: string): Block {
  const fields = block.split('\n').map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon) || 'comment', line.slice(colon + 1).trimStart()] as const
  })
  const { data, ...rest } = Object.fromEntries(fields)
  if (data === undefined) return rest
  const value = parseJson(data, 'the data')
  return { ...rest, ...(isJsonObject(value) ? { data: value } : {}) }
}

let clock: ManualClock
let lab: StreamLab
const readers: SseReader[] = []

beforeEach(async () => {
  clock = new ManualClock()
  lab = await StreamLab.start({ clock })
})

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.cut()
  await lab[Symbol.asyncDispose]()
})

async function open(options: ConstructorParameters<typeof SseReader>[1] = {}, from = lab): Promise<SseReader> {
  const reader = new SseReader(from.url, options)
  readers.push(reader)
  await waitFor('an answer', () => reader.status !== 0)
  return reader
}

test('R24 the headers say what it is, and the first lines when to come back and where the stream is', async () => {
  const reader = await open()
  expect(reader.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    connection: 'close',
  })
  await reader.until('hello', ({ blocks }) => blocks.length === 2)
  const { epoch } = await lab.log.extent()
  expect(reader.blocks[0]).toEqual({ retry: '3000' })
  expect(reader.blocks[1]).toMatchObject({
    id: `${epoch}:0`,
    event: 'hello',
    data: { type: 'hello', format: 'native' },
  })
})

test('R24 R12 an event has its cursor as id, its type as name, and is one line with a counter', async () => {
  const reader = await open()
  await reader.until('hello', (each) => each.named('hello').length === 1)
  await lab.log.append([
    newEvent(1),
    newEvent(2, { event_type: 'evil\nid: 666\r\nx', data: { text: 'a\nb' } }),
    newEvent(3, { event_type: '' }),
  ])
  await reader.until('three events', ({ events }) => events.length === 3)
  const { epoch } = await lab.log.extent()
  expect(reader.events.map(({ id, event, data }) => [id, event, data!['n']])).toEqual([
    [`${epoch}:1`, 'baremetal.node.power_set.end', 1],
    [`${epoch}:2`, 'evil id: 666  x', 2],
    [`${epoch}:3`, 'message', 3],
  ])
  expect(reader.events[1]!.data).toMatchObject({ event_type: 'evil\nid: 666\r\nx', data: { text: 'a\nb' } })
})

test('R24 named=0 leaves the names of events out, not those of what else is said', async () => {
  const reader = await open({ query: 'named=0' })
  await reader.until('hello', (each) => each.named('hello').length === 1)
  await lab.log.append([newEvent(1)])
  await reader.until('an event', ({ events }) => events.length === 1)
  expect(reader.events[0]!.event).toBeUndefined()
})

test('E-218 Last-Event-ID resumes, and wins over since', async () => {
  await lab.log.append(newEvents(10))
  await lab.settled()
  const { epoch } = await lab.log.extent()
  const reader = await open({ query: 'since=earliest', headers: { 'last-event-id': `${epoch}:7` } })
  await reader.until('the rest', ({ events }) => events.length === 3)
  expect(reader.events.map(({ data }) => data!['seq'])).toEqual([8, 9, 10])
  await lab.log.append([newEvent('new')])
  await reader.until('the news', ({ events }) => events.length === 4)
  expect(reader.named('hello')[0]!.data).toMatchObject({ resumed: true, replay_from: 8 })
})

test('E-218 what the last id of a browser says is resumed from, also before any event', async () => {
  const first = await open()
  await first.until('hello', (each) => each.named('hello').length === 1)
  const id = first.blocks.findLast((block) => block.id !== undefined)!.id!
  first.cut()
  await lab.log.append(newEvents(2))
  await lab.settled()
  const second = await open({ headers: { 'last-event-id': id } })
  await second.until('what was missed', ({ events }) => events.length === 2)
  expect(second.named('hello')[0]!.data).toMatchObject({ resumed: true })
})

test('R11 R24 a reset is an event of that name, and moves the place', async () => {
  await lab.log.append(newEvents(3))
  await lab.settled()
  const { epoch } = await lab.log.extent()
  const reader = await open({ headers: { 'last-event-id': 'another:5' } })
  await reader.until('the end', ({ ended }) => ended)
  expect(reader.named('reset')).toMatchObject([
    { id: `${epoch}:0`, data: { reason: 'epoch_changed', oldest: 1, head: 3 } },
  ])
  expect(reader.named('close')).toMatchObject([{ data: { code: 4410 } }])
  const staying = await open({ query: 'on_reset=continue', headers: { 'last-event-id': 'another:5' } })
  await staying.until('what is left', ({ events }) => events.length === 3)
})

test('R24 R33 a comment for every heartbeat, R13 bookmarks with an id', async () => {
  const reader = await open({ query: 'event=none' })
  await reader.until('hello', (each) => each.named('hello').length === 1)
  await clock.advance(25_000)
  await reader.until('a heartbeat', ({ blocks }) => blocks.some(({ comment }) => comment === 'heartbeat'))
  await lab.log.append([newEvent(1)])
  await lab.settled()
  await clock.advance(11_000)
  const { epoch } = await lab.log.extent()
  await reader.until('a bookmark', (each) => each.named('bookmark').length === 1)
  expect(reader.named('bookmark')).toMatchObject([{ id: `${epoch}:1`, data: { cursor: `${epoch}:1` } }])
})

test('R17 R25 filters and the format are in the query', async () => {
  const reader = await open({ query: 'format=cloudevents&event=*.port.**&severity=error' })
  await reader.until('hello', (each) => each.named('hello').length === 1)
  const port = { event_type: 'baremetal.port.create.end' }
  await lab.log.append([
    newEvent(1, { severity: 'error' }),
    newEvent(2, port),
    newEvent(3, { ...port, severity: 'error' }),
  ])
  const ofEvents = (each: SseReader): Block[] => each.blocks.filter(({ data }) => data?.['id'] === 'id-3')
  await reader.until('the event', (each) => ofEvents(each).length === 1)
  expect(ofEvents(reader)[0]!.data).toMatchObject({ specversion: '1.0', sequence: '0000000000000003' })
  expect(reader.named('hello')[0]!.data).toMatchObject({ specversion: '1.0', type: 'org.mainstay.stream.hello' })
})

test.each([
  ['since=nonsense', 400],
  ['format=xml', 400],
  ['policy=x', 400],
  ['severity=loud', 400],
])('R24 %s is refused with %i', async (query, status) => {
  const reader = await open({ query })
  expect(reader.status).toBe(status)
})

describe('with tokens', () => {
  test('E-213 E-214 R28 R31 a ticket opens it without an Origin, for the events of its holder', async () => {
    await using own = await StreamLab.start({ clock, authenticate: spokenTokens })
    expect((await open({}, own)).status).toBe(401)
    expect(
      (await open({ headers: { authorization: 'Bearer admin', origin: 'https://evil.example' } }, own)).status,
    ).toBe(403)
    const made = await fetch(`${own.url}/v1/events/tickets`, {
      method: 'POST',
      headers: { 'x-auth-token': 'project:p1' },
    })
    const { ticket } = (await made.json()) as { ticket: string }
    const reader = await open({ query: `ticket=${ticket}` }, own)
    await reader.until('hello', (each) => each.named('hello').length === 1)
    await own.log.append([newEvent(1, { project_id: 'p2' }), newEvent(2, { project_id: 'p1' })])
    await reader.until('an event', ({ events }) => events.length === 1)
    expect(reader.events[0]!.data).toMatchObject({ seq: 2, n: 1 })
    expect((await open({ query: `ticket=${ticket}` }, own)).status).toBe(401)
  })

  test('R29 a page of an allowed origin may read what it opened', async () => {
    await using own = await StreamLab.start({ clock, options: { allowedOrigins: ['https://dashboard.example.org'] } })
    const reader = await open({ headers: { origin: 'https://dashboard.example.org' } }, own)
    expect(reader.headers).toMatchObject({
      'access-control-allow-origin': 'https://dashboard.example.org',
      vary: 'Origin',
    })
  })
})

test('R26 gzip, where it is wanted, flushes every event', async () => {
  await using own = await StreamLab.start({ clock, options: { sseGzip: true } })
  const reader = await open({ headers: { 'accept-encoding': 'gzip' } }, own)
  expect(reader.headers['content-encoding']).toBe('gzip')
  for (let count = 1; count <= 3; count += 1) {
    await own.log.append([newEvent(count)])
    await reader.until('the event', ({ events }) => events.length === count)
  }
})

test('E-216 R34 going down is told, and ends the answer', async () => {
  const reader = await open()
  await reader.until('hello', (each) => each.named('hello').length === 1)
  await lab.stop()
  await reader.until('the end', ({ ended }) => ended)
  expect(reader.blocks.slice(-2)).toMatchObject([
    { event: 'draining', data: { reconnect_after_ms: expect.any(Number) as unknown } },
    { event: 'close', data: { code: 1012 } },
  ])
})

test('R20 E-208 one that stops reading is fed from the log when it reads again', async () => {
  const reader = await open()
  await reader.until('hello', (each) => each.named('hello').length === 1)
  reader.response!.pause()
  const [subscriber] = lab.service.hub.subscribers.keys()
  const large = { data: { text: 'x'.repeat(32 * 1024) } }
  let count = 0
  while (subscriber!.state !== 'behind') {
    await lab.log.append(newEvents(10, `${count}-`, large))
    count += 10
    await lab.settled()
    await waitFor('the flush', () => subscriber!.state === 'behind' || subscriber!.behindEvents === 0)
  }
  reader.response!.resume()
  await reader.until('everything', ({ events }) => events.length === count)
  expect(reader.events.map(({ data }) => data!['n'])).toEqual(Array.from({ length: count }, (_, index) => index + 1))
})

test('a client that goes away leaves nothing behind', async () => {
  const reader = await open()
  expect(lab.service.connections).toBe(1)
  reader.cut()
  await waitFor('it to be gone', () => lab.service.connections === 0)
  expect(lab.service.hub.subscribers.size).toBe(0)
  expect(await lab.metrics.text()).toContain('mainstay_events_stream_connections{transport="sse"} 0')
})

test('an open stream does not take the place of other requests', async () => {
  await using own = await StreamLab.start({ clock, httpLimits: { maxConcurrentRequests: 1 } })
  const streams = [await open({}, own), await open({}, own)]
  const { status } = await fetch(`${own.url}/v1/events/connections`)
  expect([status, ...streams.map((stream) => stream.status)]).toEqual([200, 200, 200])
})
