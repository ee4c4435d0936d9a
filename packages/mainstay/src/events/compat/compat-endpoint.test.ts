import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { SystemIds } from '../../core/ids.ts'
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts'
import { Metrics } from '../../core/metrics.ts'
import { createHttpApp } from '../../http/index.ts'
import { DEFAULT_FILTER_LIMITS } from '../filter/index.ts'
import { nativeFormat } from '../format/native.ts'
import { newEvent } from '../testing/new-event.ts'
import type { StreamClient, StreamClientOptions } from '../testing/stream-client.ts'
import { StreamLab } from '../testing/stream-lab.ts'
import { waitFor } from '../testing/wait-for.ts'
import { COMPAT_PATH, compatEndpoint } from './compat-endpoint.ts'
import { EVENTS_PATH, describeStreamRoute } from './describe-route.ts'

const POWER = 'baremetal.node.power_set.end'

let lab: StreamLab

beforeEach(async () => {
  lab = await StreamLab.start({ options: { hub: { heartbeatMs: 100, sweepMs: 10 } } })
  const protocols = { 'mainstay.events.v1': nativeFormat }
  lab.service.addEndpoint(compatEndpoint({ filter: DEFAULT_FILTER_LIMITS, heartbeatSource: 'osism', protocols }))
})

afterEach(async () => {
  await lab[Symbol.asyncDispose]()
})

/** A client of the compatible endpoint that is known to listen: it is not told hello, but is answered. */
async function listen(options: StreamClientOptions = {}): Promise<StreamClient> {
  const client = lab.connect({ path: COMPAT_PATH, ...options })
  await waitFor('the connection', () => client.socket.readyState === client.socket.OPEN)
  return client
}

async function setFilters(client: StreamClient, lists: JsonObject): Promise<void> {
  const before = client.control('filter_update').length
  client.say({ action: 'set_filters', ...lists })
  await client.until('the acknowledgement', () => client.control('filter_update').length > before)
}

const isEvent = ({ source }: JsonObject): boolean => source === 'openstack'

describe('the compatible endpoint (event-stream 6)', () => {
  test('E-91 GET /v1/events says where it is', async () => {
    const app = createHttpApp({ clock: new SystemClock(), ids: new SystemIds(), metrics: new Metrics() })
    describeStreamRoute(app)
    const answer = await app.inject({ url: EVENTS_PATH })
    expect(answer.statusCode).toBe(200)
    expect(parseJson(answer.body, 'the answer')).toEqual({
      result: 'ok',
      websocket_endpoint: '/v1/events/openstack',
      description: expect.stringContaining('set_filters'),
    })
    await app.close()
  })

  test('E-98 an event that matches arrives as its six members, and is the first that does', async () => {
    await lab.log.append([newEvent('before')])
    await lab.settled()
    const client = await listen()
    await setFilters(client, { event_filters: [POWER], node_filters: ['node-1'], service_filters: ['baremetal'] })
    const { events } = await lab.log.append([newEvent('a', { data: { x: { y: null } } })])
    await client.until('the event', ({ frames }) => frames.some(isEvent))
    const { id, timestamp } = events[0]!
    expect(client.frames.find(isEvent)).toEqual({
      id,
      timestamp,
      event_type: POWER,
      source: 'openstack',
      node_name: 'node-1',
      data: { x: { y: null }, service_type: 'baremetal', resource_id: 'r-1' },
    })
    expect(Object.keys(client.frames.find(isEvent)!)).toHaveLength(6)
  })

  test('E-99 an event that does not match is left out', async () => {
    const client = await listen()
    await setFilters(client, { node_filters: ['node-2'] })
    await lab.log.append([newEvent('a'), newEvent('b', { node_name: 'node-2' }), newEvent('c', { node_name: null })])
    await client.until('the event', ({ frames }) => frames.some(isEvent))
    expect(client.frames.filter(isEvent)).toMatchObject([{ id: 'id-b' }])
  })

  test('E-100 E-92 a client that is gone is forgotten', async () => {
    const before = lab.service.connections
    const [one, other] = [await listen(), await listen()]
    expect(lab.service.connections).toBe(before + 2)
    one.socket.close(1000)
    other.cut()
    await waitFor('both to be gone', () => lab.service.connections === before)
  })

  test('E-93 E-94 filters are acknowledged with what was said, kept, and cleared', async () => {
    const client = await listen()
    await setFilters(client, { event_filters: ['nothing'], node_filters: ['node-1'] })
    await setFilters(client, { event_filters: [] })
    expect(client.control('filter_update')).toEqual([
      {
        type: 'filter_update',
        status: 'success',
        event_filters: ['nothing'],
        node_filters: ['node-1'],
        service_filters: null,
      },
      { type: 'filter_update', status: 'success', event_filters: [], node_filters: null, service_filters: null },
    ])
    await lab.log.append([newEvent('a', { node_name: 'node-2' }), newEvent('b')])
    await client.until('the event', ({ frames }) => frames.some(isEvent))
    expect(client.frames.filter(isEvent)).toMatchObject([{ id: 'id-b' }])
  })

  test.each([
    ['E-95', '{not json', 'bad_json'],
    ['E-95', '[1]', 'bad_message'],
    ['E-96', '{"action":"subscribe"}', 'unknown_action'],
  ])('%s %s is answered only to those who asked for it', async (_case, text, code) => {
    const [quiet, told] = [await listen(), await listen({ query: 'errors=1' })]
    const native = await listen({ protocols: ['mainstay.events.v1'] })
    for (const client of [quiet, told, native]) {
      client.say(text)
      await setFilters(client, {})
    }
    expect(quiet.control('error')).toEqual([])
    expect(told.control('error')).toMatchObject([{ code }])
    expect(native.control('error')).toMatchObject([{ code }])
  })

  test('E-210 filters that are none are answered, and what held before still holds', async () => {
    const client = await listen()
    await setFilters(client, { node_filters: ['node-2'] })
    client.say({ action: 'set_filters', node_filters: 'node-1' })
    client.say({ action: 'set_filters', event_filters: 7 })
    await client.until('two complaints', () => client.control('error').length === 2)
    expect(client.control('error')).toMatchObject([{ code: 'bad_filter' }, { code: 'bad_filter' }])
    await lab.log.append([newEvent('a'), newEvent('b', { node_name: 'node-2' })])
    await client.until('the event', ({ frames }) => frames.some(isEvent))
    expect(client.frames.filter(isEvent)).toMatchObject([{ id: 'id-b' }])
  })

  test('R33 a client that hears nothing gets heartbeats, whatever its filters', async () => {
    const client = await listen()
    await setFilters(client, { service_filters: ['nothing'] })
    await client.until('a heartbeat', ({ events }) => events.length > 0)
    expect(client.events[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      timestamp: expect.stringMatching(/Z$/),
      event_type: 'heartbeat',
      source: 'osism',
      node_name: null,
      data: { message: 'ping' },
    })
    expect(client.frames.every((frame) => ['event_type', 'type'].some((name) => name in frame))).toBe(true)
    expect(client.control('hello')).toEqual([])
  })

  test('a binary frame ends the connection with 1003', async () => {
    const client = await listen()
    client.socket.send(Buffer.from('{"action":"set_filters"}'))
    expect(await client.untilClosed()).toMatchObject({ code: 1003 })
  })

  test('R23 with the native subprotocol the path speaks the native format', async () => {
    const client = await listen({ protocols: ['mainstay.events.v1'] })
    expect(isJsonObject(await client.hello())).toBe(true)
    await lab.log.append([newEvent('a')])
    await client.until('the event', ({ seqs }) => seqs.length === 1)
    expect(client.events[0]).toMatchObject({ n: 1, seq: 1, cursor: expect.any(String) })
  })
})
