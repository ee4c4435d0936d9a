import { describe, expect, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { SeededRandom } from '../../core/random.ts'
import { EventStream } from './event-stream.ts'
import type { EventStreamOptions, StreamState } from './options.ts'
import type { StreamedEvent } from './streamed-event.ts'
import { scriptedServer, type ScriptedConnection } from './testing/scripted-server.ts'

vi.setConfig({ testTimeout: 30_000 })
const PATIENT = { timeout: 20_000, interval: 5 }

function hello(fields: object = {}): object {
  return {
    type: 'hello',
    connection_id: 'c1',
    epoch: 'e1',
    head: 0,
    oldest: 1,
    cursor: 'e1:0',
    resumed: false,
    heartbeat_ms: 1000,
    scope: 'all',
    ...fields,
  }
}

/** The event with place `seq`, as the `n`th of its connection. */
function event(seq: number, n: number | undefined = seq, fields: object = {}): object {
  const epoch = 'e1'
  return { n, seq, epoch, cursor: `${epoch}:${seq}`, id: `id-${seq}`, event_type: 'a.b', data: {}, ...fields }
}

interface Opened extends AsyncDisposable {
  readonly stream: EventStream
  readonly clock: ManualClock
  readonly seqs: number[]
  readonly states: StreamState[]
  /** Moves the clock until the stream connects again, and gives that connection. */
  again(): Promise<ScriptedConnection>
}

/** A stream that waits on a clock of its own, with callbacks that note what they are told. */
async function open(
  server: { endpoint: string; next: () => Promise<ScriptedConnection> },
  options: Partial<EventStreamOptions> = {},
): Promise<Opened> {
  const clock = new ManualClock()
  const seqs: number[] = []
  const states: StreamState[] = []
  const stream = new EventStream({
    endpoint: server.endpoint,
    clock,
    random: new SeededRandom(1),
    onEvent: ({ seq }) => void seqs.push(seq),
    onState: (state) => void states.push(state),
    ...options,
  })
  return {
    stream,
    clock,
    seqs,
    states,
    again: async () => {
      const next = server.next()
      const connected = { yes: false }
      void next.then(() => (connected.yes = true))
      await expect
        .poll(async () => {
          if (stream.state.name === 'waiting') await clock.advance(stream.state.retryMs)
          return connected.yes
        }, PATIENT)
        .toBe(true)
      return await next
    },
    [Symbol.asyncDispose]: async () => await stream[Symbol.asyncDispose](),
  }
}

describe.each(['websocket', 'sse'] as const)('the stream over %s (R40)', (transport) => {
  test('E-201 goes on by its cursor after every kind of end, each event once and in order', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport, since: 'earliest' })
    let connection = await server.next()
    expect(connection.transport).toBe(transport)
    expect(connection.query.get('since')).toBe('earliest')
    connection.send(hello())
    for (const seq of [1, 2, 3]) connection.send(event(seq))
    await expect.poll(() => opened.seqs, PATIENT).toEqual([1, 2, 3])
    connection.cut()
    connection = await opened.again()
    expect(connection.query.get('since')).toBe('e1:3')
    connection.send(hello({ cursor: 'e1:3', resumed: true }))
    // A server that repeats itself does no harm.
    for (const [index, seq] of [2, 3, 4].entries()) connection.send(event(seq, index + 1))
    await expect.poll(() => opened.seqs, PATIENT).toEqual([1, 2, 3, 4])
    connection.close(1012)
    connection = await opened.again()
    expect(connection.query.get('since')).toBe('e1:4')
  })

  test('E-206 goes on where a server said it begins, although no event has come, as often as it takes', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport })
    let connection = await server.next()
    expect(connection.query.has('since')).toBe(false)
    for (let round = 0; round < 3; round += 1) {
      connection.send(hello({ head: 7, cursor: 'e1:7' }))
      await expect.poll(() => opened.stream.state.name, PATIENT).toBe('open')
      connection.cut()
      connection = await opened.again()
      expect(connection.query.get('since')).toBe('e1:7')
    }
    expect(opened.seqs).toEqual([])
  })

  test('E-212 a bookmark moves the place along', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport, filters: { event_filters: ['never.**'] } })
    let connection = await server.next()
    connection.send(hello())
    connection.send({ type: 'bookmark', cursor: 'e1:500' })
    await expect.poll(() => opened.stream.cursor, PATIENT).toBe('e1:500')
    connection.cut()
    connection = await opened.again()
    expect(connection.query.get('since')).toBe('e1:500')
  })

  test('R12 an event that is missing makes it connect again with its last cursor', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport, filters: { service_filters: ['a'] } })
    let connection = await server.next()
    connection.send(hello())
    connection.send(event(10, 1))
    connection.send(event(30, 3))
    connection = await opened.again()
    expect(connection.query.get('since')).toBe('e1:10')
    connection.send(hello({ cursor: 'e1:10' }))
    connection.send(event(20, 1))
    connection.send(event(30, 2))
    await expect.poll(() => opened.seqs, PATIENT).toEqual([10, 20, 30])
  })

  test('R12 so does a hole in the places, where every event is shown, and only there', async () => {
    await using server = await scriptedServer()
    await using all = await open(server, { transport })
    let connection = await server.next()
    connection.send(hello())
    connection.send(event(1, undefined))
    connection.send(event(3, undefined))
    connection = await all.again()
    expect(connection.query.get('since')).toBe('e1:1')
    await all.stream.close()
    await using some = await open(server, { transport })
    connection = await server.next()
    connection.send(hello({ scope: 'projects' }))
    connection.send(event(1, 1))
    connection.send(event(3, 2))
    await expect.poll(() => some.seqs, PATIENT).toEqual([1, 3])
  })

  test('R11 is told of a reset in its place, and goes on from where the server says', async () => {
    const told: unknown[] = []
    await using server = await scriptedServer()
    const onReset = (reset: object): void => void told.push({ ...reset, after: opened.seqs.at(-1) })
    await using opened = await open(server, { transport, onReset })
    let connection = await server.next()
    expect(connection.query.get('on_reset')).toBe('continue')
    connection.send(hello())
    connection.send(event(1))
    connection.send({ type: 'reset', reason: 'epoch_changed', oldest: 1, head: 2, epoch: 'e2', cursor: 'e2:0' })
    connection.send(event(1, 2, { epoch: 'e2', cursor: 'e2:1' }))
    await expect.poll(() => opened.seqs, PATIENT).toEqual([1, 1])
    expect(told).toEqual([{ reason: 'epoch_changed', oldest: 1, head: 2, epoch: 'e2', cursor: 'e2:0', after: 1 }])
    connection.cut()
    connection = await opened.again()
    expect(connection.query.get('since')).toBe('e2:1')
  })

  test('E-215 a connection that is silent for 2.5 heartbeats is given up, one that beats is not', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport })
    const connection = await server.next()
    connection.send(hello({ heartbeat_ms: 1000 }))
    await expect.poll(() => opened.stream.state.name, PATIENT).toBe('open')
    await opened.clock.advance(2400)
    connection.send({ type: 'heartbeat', cursor: 'e1:1', time: 'now' })
    await expect.poll(() => opened.stream.cursor, PATIENT).toBe('e1:1')
    await opened.clock.advance(2400)
    expect(opened.stream.state.name).toBe('open')
    await opened.clock.advance(100)
    expect(opened.stream.state).toMatchObject({ why: 'nothing was heard for 3 s' })
    await expect.poll(() => connection.gone, PATIENT).toBe(true)
  })

  test('R40 is refused for good: what reads it is told why', async () => {
    const body = { error: { code: 'MS_EVENT_FILTER', message: 'The filter has too much.' } }
    await using server = await scriptedServer(() => ({ status: 400, body }))
    const stream = new EventStream({ endpoint: server.endpoint, transport: transport === 'sse' ? 'sse' : 'auto' })
    await expect(Array.fromAsync(stream)).rejects.toMatchObject({
      code: 'MS_STREAM_REFUSED',
      status: 400,
      message: expect.stringContaining('The filter has too much.'),
    })
    expect(stream.state.name).toBe('closed')
  })

  test('R40 sends its filters with every connection', async () => {
    await using server = await scriptedServer()
    const filters = { event_filters: ['a.**', '!a.b'], min_severity: 'error', project_ids: ['p'] } as const
    await using opened = await open(server, { transport, filters, policy: 'drop' })
    let connection = await server.next()
    for (let round = 0; round < 2; round += 1) {
      const { query } = connection
      expect([query.getAll('event'), query.get('severity'), query.get('project'), query.get('policy')]).toEqual([
        ['a.**', '!a.b'],
        'error',
        'p',
        'drop',
      ])
      connection.cut()
      connection = await opened.again()
    }
  })

  test('closing it ends it at once, and leaves no timer', async () => {
    await using server = await scriptedServer()
    const opened = await open(server, { transport })
    const connection = await server.next()
    connection.send(hello())
    await expect.poll(() => opened.stream.state.name, PATIENT).toBe('open')
    await opened.stream.close()
    await opened.stream.done
    expect(opened.states.at(-1)).toEqual({ name: 'closed' })
    expect(opened.clock.pending).toBe(0)
    await expect.poll(() => connection.gone, PATIENT).toBe(true)
  })
})

describe('the stream that loses its connection (R40)', () => {
  test('waits with full jitter, longer each time, until a connection was healthy for 10 s', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport: 'websocket', random: { next: () => 0.5 } })
    const waits = async (): Promise<number> => {
      await expect.poll(() => opened.stream.state.name, PATIENT).toBe('waiting')
      return opened.stream.state.name === 'waiting' ? opened.stream.state.retryMs : 0
    }
    let connection = await server.next()
    for (const expected of [250, 500, 1000]) {
      connection.cut()
      expect(await waits()).toBe(expected)
      connection = await opened.again()
    }
    connection.send(hello({ heartbeat_ms: 1e6 }))
    await expect.poll(() => opened.stream.state.name, PATIENT).toBe('open')
    await opened.clock.advance(10_000)
    connection.cut()
    expect(await waits()).toBe(250)
  })

  test('E-216 comes back when a server that stops has said', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server)
    const connection = await server.next()
    connection.send(hello())
    connection.send({ type: 'draining', reconnect_after_ms: 4321 })
    connection.close(1012, 'restart')
    await expect
      .poll(() => opened.states.find(({ name }) => name === 'waiting'), PATIENT)
      .toEqual({
        name: 'waiting',
        why: 'the connection was closed (1012: restart)',
        retryMs: 4321,
      })
  })

  test('falls back to server-sent events at once where no WebSocket gets through, and stays there', async () => {
    const proxy = ({ transport }: { transport: string }): { status: number } | undefined =>
      transport === 'websocket' ? { status: 502 } : undefined
    await using server = await scriptedServer(proxy)
    await using opened = await open(server)
    let connection = await server.next()
    expect(connection.transport).toBe('sse')
    connection.send(hello())
    connection.send(event(1))
    await expect.poll(() => opened.seqs, PATIENT).toEqual([1])
    connection.cut()
    connection = await opened.again()
    expect(connection.query.get('since')).toBe('e1:1')
    expect(server.requests.map((each) => each.slice(0, 3))).toEqual(['WS ', 'GET', 'GET'])
  })

  test('gives up a server that accepts and never says a word', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport: 'websocket', connectTimeoutMs: 5000 })
    await server.next()
    await opened.clock.advance(5000)
    expect(opened.stream.state).toMatchObject({ name: 'waiting', why: 'nothing was heard for 5 s' })
  })

  test('waits for a server that is not there yet', async () => {
    const gone = await scriptedServer()
    const port = Number(new URL(gone.endpoint).port)
    await gone[Symbol.asyncDispose]()
    await using opened = await open(gone)
    await expect.poll(() => opened.stream.state.name, PATIENT).toBe('waiting')
    expect(port).toBeGreaterThan(0)
    await opened.stream.close()
  })

  test.each(['websocket', 'sse'] as const)('stops when an admin has closed it, over %s', async (transport) => {
    await using server = await scriptedServer()
    const stream = new EventStream({ endpoint: server.endpoint, transport })
    const reading = Array.fromAsync(stream)
    const connection = await server.next()
    connection.send(hello())
    connection.close(4403, 'closed by an admin')
    await expect(reading).rejects.toThrow(/4403: closed by an admin/)
  })

  test('begins with the oldest event when its place is gone and the server does not say where to go on', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { since: 'e0:5' })
    let connection = await server.next()
    connection.close(4410, 'cursor gone')
    connection = await opened.again()
    expect(connection.query.get('since')).toBe('earliest')
  })
})

describe('the stream that has to say who reads (R28, R30)', () => {
  test('shows a ticket in the address of a WebSocket, a new one each time, and never the token', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { tokens: { token: async () => 'secret' } })
    let connection = await server.next()
    expect(connection.query.get('ticket')).toBe('t1')
    connection.send(hello())
    await expect.poll(() => opened.stream.state.name, PATIENT).toBe('open')
    connection.cut()
    connection = await opened.again()
    expect(connection.query.get('ticket')).toBe('t3')
    expect(server.requests.join()).not.toContain('secret')
  })

  test('shows its token in the header of server-sent events', async () => {
    await using server = await scriptedServer()
    await using _opened = await open(server, { transport: 'sse', tokens: { token: async () => 'secret' } })
    const connection = await server.next()
    expect(connection.headers).toMatchObject({ 'x-auth-token': 'secret', authorization: 'Bearer secret' })
    expect(server.requests.join()).not.toContain('secret')
  })

  test('asks for another token when one is refused, and stops when there is none', async () => {
    const refusedOnes: (string | undefined)[] = []
    await using server = await scriptedServer(({ headers }) =>
      headers['x-auth-token'] === 'good' ? undefined : { status: 401, body: { error: { code: 'c', message: 'old' } } },
    )
    const tokens = {
      token: async ({ refused }: { refused: string | undefined }) => {
        refusedOnes.push(refused)
        return refused === undefined ? 'old' : 'good'
      },
    }
    await using opened = await open(server, { transport: 'sse', tokens })
    const connection = await opened.again()
    expect(connection.headers['x-auth-token']).toBe('good')
    expect(refusedOnes).toEqual([undefined, 'old'])
    const clock = new ManualClock()
    const stream = new EventStream({ endpoint: server.endpoint, clock, tokens: { token: async () => 'bad' } })
    const reading = Array.fromAsync(stream)
    reading.catch(() => undefined)
    await expect.poll(() => stream.state.name, PATIENT).toBe('waiting')
    await clock.advance(30_000)
    await expect(reading).rejects.toMatchObject({ status: 401 })
  })

  test('R30 hands over a fresh token before the old one is over', async () => {
    let count = 0
    await using server = await scriptedServer()
    await using _opened = await open(server, { tokens: { token: async () => `token-${(count += 1)}` } })
    const connection = await server.next()
    connection.send(hello())
    connection.send({ type: 'expiring', expires_at: '2026-01-01T00:00:00Z' })
    await expect.poll(() => connection.said, PATIENT).toEqual(['{"action":"refresh","token":"token-2"}'])
  })
})

describe('changing filters (E-211)', () => {
  test('tells the server over a WebSocket, all lists at once', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { filters: { event_filters: ['a'], min_severity: 'error' } })
    const connection = await server.next()
    connection.send(hello())
    await expect.poll(() => opened.stream.state.name, PATIENT).toBe('open')
    opened.stream.setFilters({ node_filters: ['n*'] })
    await expect
      .poll(() => connection.said.map((text) => JSON.parse(text) as unknown), PATIENT)
      .toEqual([
        {
          action: 'set_filters',
          event_filters: [],
          node_filters: ['n*'],
          service_filters: [],
          resource_ids: [],
          project_ids: [],
          correlation_ids: [],
          min_severity: 'debug',
        },
      ])
  })

  test('connects anew over server-sent events, from its place', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport: 'sse' })
    let connection = await server.next()
    connection.send(hello())
    connection.send(event(1))
    await expect.poll(() => opened.seqs, PATIENT).toEqual([1])
    opened.stream.setFilters({ event_filters: ['x'] })
    connection = await server.next()
    expect([connection.query.get('event'), connection.query.get('since')]).toEqual(['x', 'e1:1'])
  })

  test('a filter that the server refuses ends the stream with its reason', async () => {
    const body = { error: { code: 'MS_EVENT_FILTER', message: 'bad filter' } }
    let strict = false
    await using server = await scriptedServer(() => (strict ? { status: 400, body } : undefined))
    const stream = new EventStream({ endpoint: server.endpoint })
    const reading = Array.fromAsync(stream)
    const connection = await server.next()
    connection.send(hello())
    await expect.poll(() => stream.state.name, PATIENT).toBe('open')
    strict = true
    stream.setFilters({ event_filters: ['*'.repeat(100)] })
    connection.send({ type: 'error', code: 'bad_filter', message: 'bad filter' })
    await expect(reading).rejects.toThrow(/bad filter/)
  })
})

describe('reading the stream', () => {
  const iterate = (stream: EventStream): AsyncIterator<StreamedEvent, undefined> => stream[Symbol.asyncIterator]()

  test('event by event; the cursor stands behind what was read', async () => {
    const resets: string[] = []
    await using server = await scriptedServer()
    await using opened = await open(server, { onEvent: undefined, onReset: ({ reason }) => void resets.push(reason) })
    const reader = iterate(opened.stream)
    const first = reader.next()
    const connection = await server.next()
    expect(opened.stream.cursor).toBeUndefined()
    connection.send(hello())
    for (const seq of [1, 2]) connection.send(event(seq))
    connection.send({ type: 'reset', reason: 'cursor_expired', oldest: 5, head: 6, epoch: 'e1', cursor: 'e1:4' })
    connection.send(event(5, 3))
    connection.send({ type: 'bookmark', cursor: 'e1:9' })
    expect((await first).value?.seq).toBe(1)
    expect((await reader.next()).value?.seq).toBe(2)
    expect([resets, opened.stream.cursor?.startsWith('e1:')]).toEqual([[], true])
    expect((await reader.next()).value?.seq).toBe(5)
    expect(resets).toEqual(['cursor_expired'])
    await expect.poll(() => opened.stream.cursor, PATIENT).toBe('e1:9')
  })

  test('what has come before the end is still read', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { onEvent: undefined })
    const connection = await server.next()
    connection.send(hello())
    for (const seq of [1, 2, 3]) connection.send(event(seq))
    const reader = iterate(opened.stream)
    expect((await reader.next()).value?.seq).toBe(1)
    connection.send({ type: 'bookmark', cursor: 'e1:3' })
    await opened.stream.close()
    const rest = await Array.fromAsync(opened.stream)
    expect(rest.map(({ seq }) => seq)).toEqual([2, 3])
  })

  test('a reader that is slower than the stream makes it pause, and loses nothing', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { onEvent: undefined, maxWaiting: 10 })
    let connection = await server.next()
    connection.send(hello())
    for (let seq = 1; seq <= 20; seq += 1) connection.send(event(seq))
    await expect.poll(() => opened.stream.state.name, PATIENT).toBe('paused')
    expect(opened.stream.cursor).toBe('e1:0')
    const reader = iterate(opened.stream)
    const seqs: (number | undefined)[] = []
    for (let count = 0; count < 6; count += 1) seqs.push((await reader.next()).value?.seq)
    connection = await server.next()
    expect(connection.query.get('since')).toBe('e1:11')
    connection.send(hello({ cursor: 'e1:11' }))
    for (let seq = 12; seq <= 16; seq += 1) connection.send(event(seq, seq - 11))
    while (seqs.length < 16) seqs.push((await reader.next()).value?.seq)
    expect(seqs).toEqual(Array.from({ length: 16 }, (_, index) => index + 1))
  })

  test('leaving the loop ends the stream', async () => {
    await using server = await scriptedServer()
    const stream = new EventStream({ endpoint: server.endpoint })
    const reading = (async () => {
      for await (const { seq } of stream) return seq
      return undefined
    })()
    const connection = await server.next()
    connection.send(hello())
    connection.send(event(1))
    expect(await reading).toBe(1)
    expect(stream.state.name).toBe('closed')
  })

  test('R20 is told what the server left out, and that is no gap', async () => {
    const lost: number[] = []
    await using server = await scriptedServer()
    await using opened = await open(server, { policy: 'drop', onLagged: (dropped) => void lost.push(dropped) })
    const connection = await server.next()
    connection.send(hello())
    connection.send(event(1))
    connection.send({ type: 'lagged', dropped: 8, from: 2, to: 9 })
    connection.send(event(10, 2))
    await expect.poll(() => opened.seqs, PATIENT).toEqual([1, 10])
    expect(lost).toEqual([8])
  })

  test('an error of a callback ends the stream with it', async () => {
    await using server = await scriptedServer()
    const onEvent = (): void => {
      throw new Error('my own mistake')
    }
    const stream = new EventStream({ endpoint: server.endpoint, onEvent })
    const connection = await server.next()
    connection.send(hello())
    connection.send(event(1))
    await expect(stream.done).rejects.toThrow('my own mistake')
    expect(() => stream[Symbol.asyncIterator]()).toThrow(/onEvent/)
  })

  test('a frame that is no JSON ends the connection, one of an unknown kind is passed over', async () => {
    await using server = await scriptedServer()
    await using opened = await open(server, { transport: 'sse' })
    const connection = await server.next()
    connection.send(hello())
    for (const odd of [[], { type: 'of the future' }, { no: 'type' }, { type: 7 }]) connection.send(odd)
    connection.send(event(1))
    await expect.poll(() => opened.seqs, PATIENT).toEqual([1])
  })

  test.each(['ftp://host/', 'host:80', ''])('"%s" is no endpoint', (endpoint) => {
    expect(() => new EventStream({ endpoint })).toThrow(/no http or https address/)
  })
})
