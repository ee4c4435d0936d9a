import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi, type TestContext } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'
import { Connection, type Publisher } from 'rabbitmq-client'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { isJsonObject, parseJson, toJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { check, loadConfig, startServer, type RunningServer } from '../../packages/mainstay/src/server/index.ts'
import { openRedis, type RedisConnection } from '../../packages/mainstay/src/store/redis/index.ts'
import { needThat } from '../support/need.ts'

/** The whole program between a real RabbitMQ, a real Redis channel, another API and a program that keeps an inventory. */

const [INPUT, OUTPUT] = ['osism:events', 'mainstay:events']
const POWER = 'baremetal.node.power_set.end'
const APPEND = `require("node:fs").appendFileSync(process.argv[1], process.argv.slice(2).join(" ") + "\\n")`
const patience = { timeout: 60_000, interval: 50 }
const clock = new SystemClock()
const ids = new SystemIds()

let reason: string | undefined
let cluster: Cluster | undefined
let directory: string
let server: RunningServer | undefined
let settings: string[]
let api: Server | undefined
let broker: Connection
let publisher: Publisher
let redis: RedisConnection
let listener: RedisConnection
let client: WebSocket
const frames: JsonObject[] = []
const published: JsonObject[] = []
const posted: JsonObject[] = []

beforeAll(async () => {
  reason = (await skipReason('rabbitmq')) ?? (await skipReason('redis'))
  if (reason !== undefined) return
  cluster = await Cluster.create({ name: 'events-wiring' })
  const servers = { rabbit: cluster.component('rabbitmq'), redis: cluster.component('redis') }
  await Promise.all([servers.rabbit.start(), servers.redis.start()])
  directory = await mkdtemp(join(tmpdir(), 'events-wiring-'))
  const apiUrl = await startApi()
  const told = [process.execPath, '-e', APPEND, join(directory, 'inventory'), '{task}', '{node}', '{value}']
  settings = [
    `server.data_dir="${directory}"`,
    'server.listen="127.0.0.1:0"',
    `events.openstack.url="amqp://guest:guest@127.0.0.1:${servers.rabbit.port}/"`,
    'events.openstack.discovery_interval_ms=100',
    `events.openstack.api_url="${apiUrl}/"`,
    `events.openstack.inventory_command=${toJson(told)}`,
    `events.bridge.redis_url="redis://127.0.0.1:${servers.redis.port}/5"`,
    `events.bridge.input_channel="${INPUT}"`,
    `events.bridge.output_channel="${OUTPUT}"`,
  ]
  await connect(servers.rabbit.port, servers.redis.port)
  server = await startServer(await loadConfig({ set: settings }), { logger: silentLogger() })
  client = new WebSocket(`${server.url.replace(/^http/, 'ws')}/v1/events/openstack`)
  client.addEventListener('message', ({ data }) => frames.push(object(String(data))))
  await vi.waitUntil(() => client.readyState === WebSocket.OPEN, patience)
  await vi.waitUntil(async () => (await state())['events_bridge'] === 'ok', patience)
}, 180_000)

afterAll(async () => {
  client?.close()
  await server?.stop()
  await publisher?.close()
  await broker?.close()
  await listener?.close()
  await redis?.close()
  api?.close()
  await cluster?.dispose()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
}, 60_000)

beforeEach((ctx: TestContext) => needThat(ctx, reason === undefined, reason ?? ''))

async function startApi(): Promise<string> {
  api = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      posted.push({ url: request.url ?? '', body: object(body) })
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => api!.listen(0, '127.0.0.1', resolve))
  const address = api.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

async function connect(rabbitPort: number, redisPort: number): Promise<void> {
  broker = new Connection(`amqp://guest:guest@127.0.0.1:${rabbitPort}/`)
  broker.on('error', () => {})
  publisher = broker.createPublisher({
    confirm: true,
    exchanges: [{ exchange: 'ironic', type: 'topic', durable: true }],
  })
  await send('baremetal.node.too.early', {})
  redis = openRedis({ clock, random: new SystemRandom(), logger: silentLogger(), port: redisPort, db: 5 })
  listener = redis.duplicate()
  await listener.whenReady({ timeoutMs: 30_000 })
  await listener.hear(OUTPUT, (text) => void published.push(object(text)))
}

function object(text: string): JsonObject {
  const value = parseJson(text, 'a message')
  return isJsonObject(value) ? value : {}
}

function notification(type: string, payload: JsonObject): JsonObject {
  return {
    message_id: ids.random(),
    event_type: type,
    priority: 'INFO',
    timestamp: '2026-11-21 09:00:00.000000',
    publisher_id: 'ironic-conductor.host-1',
    payload,
  }
}

async function send(type: string, payload: JsonObject): Promise<void> {
  const body = toJson({ 'oslo.version': '2.0', 'oslo.message': toJson(notification(type, payload)) })
  const envelope = { exchange: 'ironic', routingKey: 'ironic_versioned_notifications.info' }
  await publisher.send({ ...envelope, contentType: 'application/json', contentEncoding: 'utf-8' }, Buffer.from(body))
}

async function state(): Promise<JsonObject> {
  const answer = await fetch(`${server!.url}/health/ready`)
  const { checks } = object(await answer.text())
  return isJsonObject(checks) ? checks : {}
}

const node = (name: string): JsonObject => ({
  'ironic_object.data': {
    name,
    uuid: `uuid-${name}`,
    power_state: 'power on',
    driver_info: { ipmi_password: 'hunter2' },
  },
})

async function frameOf(name: string): Promise<JsonObject> {
  return await vi.waitUntil(() => frames.find((frame) => frame['node_name'] === name), patience)
}

async function report(body: JsonObject): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const url = `${server!.url}/v1/notifications/baremetal`
  return (await fetch(url, { method: 'POST', headers, body: toJson(body) })).status
}

describe('the stream among other programs', { timeout: 120_000 }, () => {
  test('what is heard is shown', async () => {
    expect(await state()).toMatchObject({ events_bridge: 'ok', events_broker: 'ok' })
  })

  test('a notification of the broker reaches clients, the channel, the API and the inventory, without its secret', async () => {
    await vi.waitFor(
      async () => void (await broker.queueDeclare({ queue: 'mainstay-listener-ironic', passive: true })),
      patience,
    )
    await send(POWER, node('node-1'))
    expect(await frameOf('node-1')).toMatchObject({ event_type: POWER, data: { resource_id: 'uuid-node-1' } })
    await vi.waitFor(() => expect([published.length, posted.length]).toEqual([1, 1]), patience)
    const told = async (): Promise<string> => await readFile(join(directory, 'inventory'), 'utf8')
    await vi.waitFor(async () => expect(await told()).toBe('power node-1 power on\n'), patience)
    expect(published[0]).toMatchObject({ event_type: POWER, payload: { 'ironic_object.data': { name: 'node-1' } } })
    expect(posted[0]).toMatchObject({ url: '/notifications/baremetal', body: { event_type: POWER } })
    expect(toJson([frames, published, posted])).not.toContain('hunter2')
  })

  test('an event of the channel reaches clients, and does not come back', async () => {
    await redis.ask(['PUBLISH', INPUT, toJson({ event_type: POWER, payload: node('node-2') })])
    expect(await frameOf('node-2')).toMatchObject({ event_type: POWER, source: 'openstack' })
    await redis.ask(['PUBLISH', INPUT, 'not json'])
    await redis.ask(['PUBLISH', INPUT, toJson({ event_type: POWER, payload: node('node-3') })])
    await frameOf('node-3')
    expect(published).toHaveLength(1)
  })

  test('a machine that is reported over HTTP reaches clients once, however often it is', async () => {
    const message = notification(POWER, node('node-4'))
    expect([await report(message), await report(message)]).toEqual([204, 204])
    expect(await report(notification(POWER, node('node-5')))).toBe(204)
    await frameOf('node-5')
    expect(frames.filter((frame) => frame['node_name'] === 'node-4')).toHaveLength(1)
    expect(await report({ event_type: POWER })).toBe(422)
    expect(await report(notification(POWER, {}))).toBe(500)
  })

  test('E-91 GET /v1/events names the endpoint', async () => {
    const answer = await fetch(`${server!.url}/v1/events`)
    expect([answer.status, object(await answer.text())]).toMatchObject([
      200,
      { result: 'ok', websocket_endpoint: '/v1/events/openstack' },
    ])
  })

  test('check names the broker with its exchanges, and the channels', async () => {
    const lines: Record<string, string> = {}
    const other = await mkdtemp(join(tmpdir(), 'events-check-'))
    const set = [...settings, `server.data_dir="${other}"`]
    for await (const { name, ok, text } of check({ set, env: {}, signal: new AbortController().signal })) {
      lines[name] = `${ok ? 'ok' : 'failed'}: ${text}`
    }
    await rm(other, { recursive: true })
    expect(lines['message broker']).toMatch(/^ok: connected; exchanges ironic; not yet nova, /)
    expect(lines['event bridge']).toBe(`ok: connected; hears ${INPUT}, publishes on ${OUTPUT}`)
  })

  test('one channel for both directions is refused', async () => {
    const other = await mkdtemp(join(tmpdir(), 'events-loop-'))
    const set = [...settings, `events.bridge.output_channel="${INPUT}"`, `server.data_dir="${other}"`]
    await expect(startServer(await loadConfig({ set }), { logger: silentLogger() })).rejects.toThrow('the same')
    await rm(other, { recursive: true })
  })
})
