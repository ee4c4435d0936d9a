import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { CLOUDEVENTS_PROTOCOL, NATIVE_PROTOCOL } from './stream-service.ts'
import { newEvent, newEvents } from './testing/new-event.ts'
import { StreamLab } from './testing/stream-lab.ts'

// Real sockets on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

let lab: StreamLab

beforeEach(async () => {
  lab = await StreamLab.start()
})

afterEach(async () => {
  await lab[Symbol.asyncDispose]()
})

const port = { event_type: 'baremetal.port.create.end' }

describe('the first frames', () => {
  test('R9 hello says where the stream is and what its limits are', async () => {
    await lab.log.append(newEvents(3))
    await lab.settled()
    const { epoch } = await lab.log.extent()
    const client = await lab.listen()
    expect(client.frames[0]).toMatchObject({
      type: 'hello',
      connection_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
      epoch,
      head: 3,
      oldest: 1,
      cursor: `${epoch}:3`,
      resumed: false,
      replay_from: null,
      heartbeat_ms: 25_000,
      format: 'native',
      policy: 'catchup',
      limits: {
        soft_limit_bytes: 262_144,
        hard_limit_bytes: 1_048_576,
        hard_limit_frames: 1024,
        message_bytes: 65_536,
      },
    })
  })

  test('R2 R12 an event arrives whole, with a counter that begins at 1', async () => {
    const client = await lab.listen()
    const batch = [newEvent('a'), newEvent('b', { event_type: 'ü.€', data: { text: '𝄞' } })]
    const { epoch } = await lab.log.extent()
    await lab.log.append(batch)
    await client.until('two events', ({ events }) => events.length === 2)
    expect(client.events).toEqual(
      batch.map((event, index) => ({
        n: index + 1,
        seq: index + 1,
        epoch,
        cursor: `${epoch}:${index + 1}`,
        ...event,
      })),
    )
  })
})

describe('the place to begin', () => {
  test.each([
    ['latest', []],
    ['earliest', [1, 2, 3, 4]],
    ['2026-11-21T00:00:01.000Z', [2, 3, 4]],
    ['2030-01-01T00:00:00Z', []],
  ])('R10 since=%s replays %j and goes on with what comes', async (since, replayed) => {
    for (const second of [0, 1, 2, 3]) {
      await lab.log.append([newEvent(second, { atMs: Date.UTC(2026, 10, 21, 0, 0, second) })])
    }
    await lab.settled()
    const client = await lab.listen({ query: `since=${since}` })
    await client.until('the replay', ({ events }) => events.length === replayed.length)
    await lab.log.append([newEvent('new')])
    await client.until('the new event', ({ events }) => events.length === replayed.length + 1)
    expect(client.seqs).toEqual([...replayed, 5])
    expect(client.events.map(({ n }) => n)).toEqual(client.seqs.map((_, index) => index + 1))
  })

  test('R10 a cursor goes on after it, and hello says so', async () => {
    await lab.log.append(newEvents(5))
    await lab.settled()
    const { epoch } = await lab.log.extent()
    const client = await lab.listen({ query: `since=${epoch}:3` })
    await client.until('the rest', ({ events }) => events.length === 2)
    expect(client.seqs).toEqual([4, 5])
    expect(await client.hello()).toMatchObject({ resumed: true, replay_from: 4, cursor: `${epoch}:3` })
  })

  test('R10 a subscribe message does the same, and counts from 1 again', async () => {
    await lab.log.append([newEvent(1), newEvent(2, port), newEvent(3)])
    await lab.settled()
    const { epoch } = await lab.log.extent()
    const client = await lab.listen()
    client.say({ action: 'subscribe', since: `${epoch}:1`, filters: { event_filters: ['*.port.**'] }, policy: 'drop' })
    await client.until('an event', ({ events }) => events.length === 1)
    expect(client.frames).toMatchObject([
      { type: 'hello', replay_from: null },
      { type: 'hello', replay_from: 2, resumed: true, policy: 'drop' },
      { seq: 2, n: 1 },
    ])
    client.say({ action: 'subscribe', since: 'earliest' })
    await client.until('the complaint', (each) => each.control('error').length === 1)
    expect(client.control('error')).toMatchObject([
      { code: 'bad_message', message: expect.stringContaining('first message') as unknown },
    ])
  })

  test.each([
    ['since=nonsense', /since must be/],
    ['policy=block', /policy must be one of/],
    ['severity=loud', /severity must be one of/],
    [`event=${'x'.repeat(300)}`, /300 letters/],
  ])('R10 %s is refused before the connection is one', async (query, message) => {
    const { status, body } = await lab.connect({ query }).untilRefused()
    expect([status, body]).toEqual([400, expect.stringMatching(message)])
  })
})

describe('what is gone', () => {
  test.each([
    ['cursor_ahead', (epoch: string) => `${epoch}:99`],
    ['epoch_changed', () => 'another:3'],
  ])('R11 %s is told, and the connection closed with 4410', async (reason, cursor) => {
    await lab.log.append(newEvents(3))
    await lab.settled()
    const { epoch } = await lab.log.extent()
    const client = lab.connect({ query: `since=${cursor(epoch)}` })
    expect(await client.untilClosed()).toEqual({ code: 4410, reason })
    expect(client.frames.map(({ type }) => type)).toEqual(['hello', 'reset'])
    expect(client.frames[1]).toEqual({ type: 'reset', reason, oldest: 1, head: 3, epoch, cursor: `${epoch}:0` })
  })

  test('R11 on_reset=continue goes on from the oldest', async () => {
    await lab.log.append(newEvents(3))
    await lab.settled()
    const client = await lab.listen({ query: 'since=another:3&on_reset=continue' })
    await client.until('what is left', ({ events }) => events.length === 3)
    await lab.log.append([newEvent('new')])
    await client.until('news', ({ events }) => events.length === 4)
    expect(client.frames.map(({ type, seq }) => type ?? seq)).toEqual(['hello', 'reset', 1, 2, 3, 4])
  })
})

describe('filters', () => {
  test('R16 R17 the query filters, and matching what passes is numbered without a gap', async () => {
    const client = await lab.listen({ query: 'event=*.port.**&event=image.*&severity=warning' })
    await lab.log.append([
      newEvent(1, { severity: 'error' }),
      newEvent(2, { ...port, severity: 'error' }),
      newEvent(3, port),
      newEvent(4, { event_type: 'image.create', severity: 'warning' }),
    ])
    await client.until('two events', ({ events }) => events.length === 2)
    expect(client.events.map(({ seq, n }) => [seq, n])).toEqual([
      [2, 1],
      [4, 2],
    ])
  })

  test.each([
    [{ event_filters: 'baremetal' }, 'bad_filter'],
    [{ node_filters: 7 }, 'bad_filter'],
    [{ service_filters: ['a', null] }, 'bad_filter'],
    [{ min_severity: 'loud' }, 'bad_filter'],
  ])('E-210 %j is answered with an error, and the filters stay', async (lists, code) => {
    const client = await lab.listen({ query: 'event=*.port.**' })
    client.say({ action: 'set_filters', ...lists })
    await client.until('the error', (each) => each.control('error').length === 1)
    expect(client.control('error')).toMatchObject([{ code }])
    await lab.log.append([newEvent(1), newEvent(2, port)])
    await client.until('an event', ({ events }) => events.length === 1)
    expect(client.seqs).toEqual([2])
  })

  test('E-211 after the answer to a change no event comes that only the old filter let pass', async () => {
    const client = await lab.listen({ query: 'event=*.node.**' })
    for (let round = 0; round < 20; round += 1) {
      const [from, to] = round % 2 === 0 ? (['node', 'port'] as const) : (['port', 'node'] as const)
      const both = [newEvent(`${round}a`), newEvent(`${round}b`, port)]
      void lab.log.append(both)
      client.say({ action: 'set_filters', event_filters: [`*.${to}.**`] })
      await client.until('the answer', (each) => each.control('bookmark').length === round + 1)
      await lab.log.append([newEvent(`${round}c`), newEvent(`${round}d`, port)])
      await lab.settled()
      await client.until('what passes', ({ events }) => events.at(-1)?.event_type.includes(to) ?? false)
      const answered = client.frames.findLastIndex(({ type }) => type === 'filter_update')
      const after = client.events.slice(
        client.frames.slice(0, answered).filter((frame) => 'event_type' in frame).length,
      )
      expect(after.filter(({ event_type: type }) => type.includes(from))).toEqual([])
      // The bookmark after the answer is the boundary.
      expect(client.frames[answered + 1]).toMatchObject({ type: 'bookmark' })
    }
    expect(client.events.map(({ n }) => n)).toEqual(client.events.map((_, index) => index + 1))
  })

  test('E-211 the answer echoes what was said, null where nothing was', async () => {
    const client = await lab.listen()
    client.say({ action: 'set_filters', event_filters: ['a'], min_severity: 'error' })
    await client.until('the answer', (each) => each.control('filter_update').length === 1)
    expect(client.control('filter_update')).toEqual([
      {
        type: 'filter_update',
        status: 'success',
        event_filters: ['a'],
        node_filters: null,
        service_filters: null,
        min_severity: 'error',
      },
    ])
  })
})

describe('what clients say wrongly', () => {
  test.each([
    ['{not json', 'bad_json'],
    ['[1]', 'bad_message'],
    ['{"action":"dance"}', 'unknown_action'],
    ['{}', 'unknown_action'],
    ['{"action":"refresh"}', 'bad_message'],
    ['{"action":"subscribe","since":7}', 'bad_message'],
    ['{"action":"subscribe","since":"nonsense"}', 'bad_message'],
  ])('R10 %s is answered with %s and the stream goes on', async (text, code) => {
    const client = await lab.listen()
    client.say(text)
    await client.until('the error', (each) => each.control('error').length === 1)
    expect(client.control('error')).toMatchObject([{ code }])
    await lab.log.append([newEvent(1)])
    await client.until('an event', ({ events }) => events.length === 1)
  })

  test('11.9 a bad message again and again closes with 4400', async () => {
    const client = await lab.listen()
    for (let index = 0; index < 5; index += 1) client.say('{}')
    expect(await client.untilClosed()).toMatchObject({ code: 4400 })
    expect(client.control('error')).toHaveLength(5)
  })

  test('11.9 more than 20 messages in 10 s close with 4429', async () => {
    const client = await lab.listen()
    for (let index = 0; index < 21; index += 1) client.say({ action: 'set_filters' })
    expect(await client.untilClosed()).toMatchObject({ code: 4429 })
  })

  test('11.9 a binary frame closes with 1003, a long message with 1009', async () => {
    const binary = await lab.listen()
    binary.socket.send(Buffer.from('{}'))
    expect(await binary.untilClosed()).toMatchObject({ code: 1003 })
    const long = await lab.listen()
    long.say(`{"action":"${'x'.repeat(70_000)}"}`)
    expect(await long.untilClosed()).toMatchObject({ code: 1009 })
  })
})

describe('subprotocols and compression', () => {
  test.each([
    [[], '', 'native'],
    [[NATIVE_PROTOCOL], NATIVE_PROTOCOL, 'native'],
    [['other', CLOUDEVENTS_PROTOCOL, NATIVE_PROTOCOL], CLOUDEVENTS_PROTOCOL, 'cloudevents'],
  ])('R23 who offers %j is answered %s', async (protocols, chosen, format) => {
    const client = lab.connect({ protocols })
    await client.until('hello', ({ frames }) => frames.length === 1)
    expect(client.socket.protocol).toBe(chosen)
    const [first] = client.frames
    expect(format === 'native' ? first : first!['data']).toMatchObject({ type: 'hello', format })
  })

  test('R23 only unsupported ones are refused with 400', async () => {
    const { status, body } = await lab.connect({ protocols: ['soap', 'bearer.abc'] }).untilRefused()
    expect([status, body]).toEqual([400, expect.stringContaining(NATIVE_PROTOCOL)])
  })

  test('R23 R25 every CloudEvents frame is a CloudEvent, also those that say something else', async () => {
    const client = lab.connect({ protocols: [CLOUDEVENTS_PROTOCOL] })
    await client.until('hello', ({ frames }) => frames.length === 1)
    await lab.log.append([newEvent(1)])
    await client.until('an event', ({ frames }) => frames.length === 2)
    expect(client.frames.map(({ specversion }) => specversion)).toEqual(['1.0', '1.0'])
    expect(client.frames[0]!['type']).toBe('org.mainstay.stream.hello')
    expect(client.frames[1]).toMatchObject({ type: 'org.openstack.baremetal.node.power_set.end', id: 'id-1' })
  })

  test('R26 a client that offers compression is sent large events compressed, and small ones as they are', async () => {
    const compressed = await lab.listen({ compression: true })
    const plain = await lab.listen()
    expect(compressed.socket.extensions).toContain('permessage-deflate')
    const batch = [newEvent(1), newEvent(2, { data: { text: 'größer '.repeat(1000) } }), newEvent(3)]
    await lab.log.append(batch)
    for (const client of [compressed, plain]) {
      await client.until('three events', ({ events }) => events.length === 3)
      expect(client.events.map(({ n, id, data }) => ({ n, id, data }))).toEqual(
        batch.map(({ id, data }, index) => ({ n: index + 1, id, data })),
      )
    }
    // Long enough for the client to compress what it says.
    const texts = Array.from({ length: 8 }, (_, index) => `${index}${'x'.repeat(200)}`)
    compressed.say({ action: 'set_filters', event_filters: texts })
    await compressed.until('the answer', (each) => each.control('filter_update').length === 1)
  })

  test('R26 11.9 what becomes longer than 64 KiB when it is inflated closes with 1009', async () => {
    const client = await lab.listen({ compression: true })
    client.say(`{"action":"${'x'.repeat(200_000)}"}`)
    expect(await client.untilClosed()).toMatchObject({ code: 1009 })
  })
})
