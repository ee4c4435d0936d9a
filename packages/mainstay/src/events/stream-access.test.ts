import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { isJsonObject, parseJson, toJson, type JsonObject } from '../core/json.ts'
import { newEvent } from './testing/new-event.ts'
import { StreamLab, spokenTokens } from './testing/stream-lab.ts'
import { waitFor } from './testing/wait-for.ts'

// Real sockets on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

let lab: StreamLab

beforeEach(async () => {
  lab = await StreamLab.start({
    authenticate: spokenTokens,
    options: { allowedOrigins: ['https://dashboard.example.org'] },
  })
})

afterEach(async () => {
  await lab[Symbol.asyncDispose]()
})

const bearer = (token: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${token}` },
})

async function call(
  method: string,
  path: string,
  token = 'admin',
  headers: Record<string, string> = {},
): Promise<{ status: number; body: JsonObject }> {
  const response = await fetch(lab.url + path, { method, headers: { authorization: `Bearer ${token}`, ...headers } })
  const text = await response.text()
  const body = text === '' ? {} : parseJson(text, 'the answer')
  return { status: response.status, body: isJsonObject(body) ? body : {} }
}

async function ticketOf(token: string): Promise<string> {
  const { status, body } = await call('POST', '/v1/events/tickets', token)
  expect(status).toBe(201)
  return body['ticket'] as string
}

describe('who may come in (E-213)', () => {
  test.each<[string, Parameters<StreamLab['connect']>[0]]>([
    ['Authorization: Bearer', bearer('project:p1')],
    ['X-Auth-Token', { headers: { 'x-auth-token': 'project:p1' } }],
    [
      'a subprotocol',
      { protocols: ['mainstay.events.v1', `bearer.${Buffer.from('project:p1').toString('base64url')}`] },
    ],
  ])('E-213 R28 a token as %s', async (_how, options) => {
    const client = await lab.listen(options)
    await lab.log.append([newEvent(1, { project_id: 'p1' })])
    await client.until('an event', ({ events }) => events.length === 1)
    expect(client.socket.protocol).toBe(options?.protocols === undefined ? '' : 'mainstay.events.v1')
  })

  test.each<[string, Parameters<StreamLab['connect']>[0], number]>([
    ['nothing', {}, 401],
    ['a bad token', bearer('nonsense'), 401],
    ['a bad subprotocol', { protocols: ['mainstay.events.v1', 'bearer.bm9uc2Vuc2U'] }, 401],
    ['a token in the URL', { query: 'token=admin' }, 401],
    ['another token in the URL', { query: 'access_token=admin', ...bearer('admin') }, 401],
    ['two proofs', { ...bearer('admin'), query: 'ticket=abc' }, 401],
    ['a ticket that is none', { query: 'ticket=abc' }, 401],
    ['a token of no project', bearer('project:'), 401],
    ['an origin that is not allowed', { headers: { ...bearer('admin').headers, origin: 'https://evil.example' } }, 403],
    [
      'an origin that only looks allowed',
      { headers: { ...bearer('admin').headers, origin: 'http://dashboard.example.org' } },
      403,
    ],
    ['no origin to speak of', { headers: { ...bearer('admin').headers, origin: 'null' } }, 403],
  ])('E-213 R28 R29 %s is refused before the connection is one', async (_what, options, status) => {
    expect(await lab.connect(options).untilRefused()).toMatchObject({ status })
    expect(lab.service.connections).toBe(0)
  })

  test('E-213 R29 pages of an allowed origin, and of this server, may come in with a proof', async () => {
    for (const origin of ['https://dashboard.example.org', lab.url, lab.url.replace('127.0.0.1', 'localhost')]) {
      await lab.listen({ headers: { ...bearer('admin').headers, origin } })
    }
    expect(lab.service.connections).toBe(3)
  })

  test('E-213 R28 a ticket opens one stream, for whom it was given', async () => {
    const ticket = await ticketOf('project:p1')
    const client = await lab.listen({ query: `ticket=${ticket}`, headers: { origin: lab.url } })
    await lab.log.append([newEvent(1, { project_id: 'p2' }), newEvent(2, { project_id: 'p1' })])
    await client.until('its event', ({ events }) => events.length === 1)
    expect(client.seqs).toEqual([2])
    const again = lab.connect({ query: `ticket=${ticket}`, headers: { origin: lab.url } })
    expect(await again.untilRefused()).toMatchObject({ status: 401 })
  })

  test('R28 nobody gets a ticket without a token', async () => {
    expect(await call('POST', '/v1/events/tickets', 'nonsense')).toMatchObject({ status: 401 })
  })
})

describe('who may see what (E-214)', () => {
  test('E-214 R31 a member sees the events of its project, live and in replay, an admin all', async () => {
    const events = ['p1', 'p2', null].map((project_id, index) => newEvent(index, { project_id }))
    await lab.log.append(events)
    await lab.settled()
    const member = await lab.listen({ ...bearer('project:p1'), query: 'since=earliest' })
    const admin = await lab.listen({ ...bearer('admin'), query: 'since=earliest' })
    await lab.log.append(['p2', 'p1'].map((project_id, index) => newEvent(`live-${index}`, { project_id })))
    await admin.until('all', ({ seqs }) => seqs.length === 5)
    await member.until('its own', ({ seqs }) => seqs.length === 2)
    expect(member.seqs).toEqual([1, 5])
    expect(member.events.map(({ n }) => n)).toEqual([1, 2])
  })

  test('E-214 R31 a filter narrows, it never widens', async () => {
    const member = await lab.listen({ ...bearer('project:p1'), query: 'project=p1&project=p2' })
    member.say({ action: 'set_filters', project_ids: ['p2'] })
    await member.until('the answer', (each) => each.control('bookmark').length === 1)
    await lab.log.append([newEvent(1, { project_id: 'p2' }), newEvent(2, { project_id: 'p1' })])
    member.say({ action: 'set_filters', project_ids: [] })
    await member.until('the answer', (each) => each.control('bookmark').length === 2)
    await lab.log.append([newEvent(3, { project_id: 'p2' }), newEvent(4, { project_id: 'p1' })])
    await member.until('its own', ({ seqs }) => seqs.at(-1) === 4)
    expect(member.seqs.filter((seq) => seq % 2 === 1)).toEqual([])
  })
})

describe('how many may come in (11.9)', () => {
  test.each([
    ['node', { perNode: 2, perAddress: 9, perPrincipal: 9 }, 'admin'],
    ['address', { perNode: 9, perAddress: 2, perPrincipal: 9 }, 'admin'],
    ['user', { perNode: 9, perAddress: 9, perPrincipal: 2 }, 'project:p1'],
  ])('11.9 the limit of a %s is kept with 429, and its places are given back', async (_of, connections, token) => {
    await using own = await StreamLab.start({ authenticate: spokenTokens, options: { connections } })
    const clients = [await own.listen(bearer(token)), await own.listen(bearer(token))]
    const refused = await own.connect(bearer(token)).untilRefused()
    expect(refused).toMatchObject({ status: 429, body: expect.stringContaining('MS_TOO_MANY_CONNECTIONS') as unknown })
    clients[0]!.cut()
    await waitFor('the place to be given back', () => own.service.connections === 1)
    await own.listen(bearer(token))
  })
})

describe('the list of connections (R37)', () => {
  test('R37 an admin sees who listens to what, and how far behind they are', async () => {
    const client = await lab.listen({ ...bearer('project:p1'), query: 'event=a.*&policy=drop&since=earliest' })
    const { connection_id: id } = await client.hello()
    await lab.log.append([newEvent(1, { event_type: 'a.b', project_id: 'p1' })])
    await client.until('an event', ({ events }) => events.length === 1)
    const { status, body } = await call('GET', '/v1/events/connections')
    const { epoch } = await lab.log.extent()
    expect(status).toBe(200)
    expect(body['connections']).toEqual([
      {
        id,
        principal: 'user-p1@p1',
        address: expect.stringContaining('127.0.0.1') as unknown,
        transport: 'websocket',
        format: 'native',
        since: 'earliest',
        filters: expect.objectContaining({ event_filters: ['a.*'] }) as unknown,
        projects: ['p1'],
        policy: 'drop',
        state: 'live',
        cursor: `${epoch}:1`,
        lag: { events: 0, bytes: 0 },
        sent: 1,
        dropped: 0,
      },
    ])
  })

  test('R37 an admin closes a connection with 4403', async () => {
    const client = await lab.listen(bearer('project:p1'))
    const { connection_id: id } = await client.hello()
    expect(await call('DELETE', `/v1/events/connections/${toJson(id).slice(1, -1)}`)).toMatchObject({ status: 204 })
    expect(await client.untilClosed()).toMatchObject({ code: 4403 })
    expect(await call('DELETE', '/v1/events/connections/none')).toMatchObject({ status: 404 })
  })

  test('R37 nobody else does', async () => {
    expect(await call('GET', '/v1/events/connections', 'project:p1')).toMatchObject({ status: 403 })
    expect(await call('DELETE', '/v1/events/connections/x', 'project:p1')).toMatchObject({ status: 403 })
    expect(await call('GET', '/v1/events/connections', 'nonsense')).toMatchObject({ status: 401 })
  })
})

test('R38 connections, deliveries and resumes are counted', async () => {
  const client = await lab.listen({ ...bearer('admin'), query: 'since=another:1&on_reset=continue' })
  await lab.log.append([newEvent(1), newEvent(2)])
  await client.until('two events', ({ events }) => events.length === 2)
  const { epoch } = await lab.log.extent()
  await lab.listen({ ...bearer('admin'), query: `since=${epoch}:2` })
  lab.service.hub.figures.publish(0)
  const text = await lab.metrics.text()
  for (const line of [
    'mainstay_events_stream_connections{transport="websocket"} 2',
    'mainstay_events_deliveries_total 2',
    'mainstay_events_resumes_total{result="epoch_changed"} 1',
    'mainstay_events_resumes_total{result="resumed"} 1',
    'mainstay_events_delivery_latency_seconds_count',
  ]) {
    expect(text).toContain(line)
  }
})
