import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi, type TestContext } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'
import { Connection } from 'rabbitmq-client'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { isJsonObject, parseJson, toJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { needThat } from '../support/need.ts'
import { ServeProcess } from '../support/serve-process.ts'
import { idOf, keystoneSide, type KeystoneSide } from './support/keystone-ha.ts'
import { withNotifications } from './support/with-notifications.ts'

/**
 * Real OpenStack services, a real RabbitMQ and a real Mainstay: what happens there is seen here. Debian's masakari-api is
 * not among them: with notifications it answers 500 to every change, since its oslo.messaging cleans contexts in a way
 * that its own context class does not survive.
 */

const SERVICES = ['keystone', 'glance-api'] as const
const patience = { timeout: 90_000, interval: 100 }

let reason: string | undefined
let cluster: Cluster | undefined
let directory: string
let broker: Connection
let serve: ServeProcess | undefined
let compat: Watcher
let native: Watcher

beforeAll(async () => {
  const reasons = await Promise.all(['rabbitmq' as const, ...SERVICES].map(skipReason))
  reason = reasons.find((each) => each !== undefined)
  if (reason !== undefined) return
  directory = await mkdtemp(join(tmpdir(), 'events-openstack-'))
  cluster = await Cluster.create({ name: 'events-openstack' })
  const rabbit = cluster.component('rabbitmq')
  await rabbit.start()
  const place = `guest:guest@127.0.0.1:${rabbit.port}/`
  for (const service of SERVICES) cluster.add(withNotifications(service, `rabbit://${place}`))
  await Promise.all(SERVICES.map(async (service) => await cluster!.get(service).start()))
  serve = await ServeProcess.start({
    dataDir: directory,
    set: [`events.openstack.url="rabbit://${place}"`, 'events.openstack.discovery_interval_ms=200'],
  })
  broker = new Connection(`amqp://${place}`)
  broker.on('error', () => {})
  compat = new Watcher(serve.url, '/v1/events/openstack')
  native = new Watcher(serve.url, '/v1/events/stream')
  await native.until(({ type }) => type === 'hello')
}, 300_000)

afterAll(async () => {
  compat?.close()
  native?.close()
  await serve?.[Symbol.asyncDispose]()
  await broker?.close()
  await cluster?.dispose()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
})

beforeEach((ctx: TestContext) => needThat(ctx, reason === undefined, reason ?? ''))

/** Remembers what a stream says. */
class Watcher {
  readonly frames: JsonObject[] = []
  readonly #socket: WebSocket

  constructor(url: string, path: string) {
    this.#socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`)
    this.#socket.addEventListener('message', ({ data }) => {
      const frame = parseJson(String(data), 'a frame')
      if (isJsonObject(frame)) this.frames.push(frame)
    })
  }

  async until(wanted: (frame: JsonObject) => boolean): Promise<JsonObject> {
    return await vi.waitUntil(() => this.frames.find(wanted), patience)
  }

  close(): void {
    this.#socket.close()
  }
}

/** The first notification of a service makes its exchange; the listener finds it, and binds a queue of its own. */
async function bound(service: string): Promise<void> {
  await vi.waitFor(
    async () => await broker.queueDeclare({ queue: `mainstay-listener-${service}`, passive: true }),
    patience,
  )
}

const about =
  (type: string, resource: string) =>
  (frame: JsonObject): boolean =>
    frame['event_type'] === type && (frame['resource_id'] ?? dataOf(frame)['resource_id']) === resource

function dataOf(frame: JsonObject): JsonObject {
  const { data } = frame
  return isJsonObject(data) ? data : {}
}

/** The same event on both endpoints. */
async function seen(type: string, resource: string, expected: object): Promise<JsonObject> {
  const frame = await native.until(about(type, resource))
  expect(frame).toMatchObject({ source: 'openstack', resource_id: resource, ...expected })
  const plain = await compat.until(about(type, resource))
  expect(Object.keys(plain).sort()).toEqual(['data', 'event_type', 'id', 'node_name', 'source', 'timestamp'])
  expect(plain).toMatchObject({ id: frame['id'], node_name: frame['node_name'], event_type: type })
  expect(toJson([frame, plain])).not.toMatch(/_context_|gAAAA|hunter2/)
  return plain
}

describe('notifications of real OpenStack services', { timeout: 240_000 }, () => {
  test('Keystone: a project and a user are created', async () => {
    using side: KeystoneSide = keystoneSide(cluster!.get('keystone'), new SystemClock())
    const create = async (kind: 'project' | 'user', name: string): Promise<string> => {
      const body = { [kind]: { name, domain_id: 'default', ...(kind === 'user' ? { password: 'hunter2' } : {}) } }
      return idOf(await side.call('POST', `/${kind}s`, body), kind)
    }
    await create('project', 'first')
    await bound('keystone')
    const project = await create('project', 'second')
    const expected = { canonical_service: 'keystone', service_type: 'identity', severity: 'info', project_id: null }
    await seen('identity.project.created', project, expected)
    const user = await create('user', 'ada')
    expect(dataOf(await seen('identity.user.created', user, expected))).toMatchObject({ service_type: 'identity' })
  })

  test('Glance: an image is created and uploaded', async () => {
    const images = `${cluster!.get('glance-api').url}/v2/images`
    const headers = { 'x-auth-token': 'tester:project-7:admin' }
    const create = async (name: string): Promise<string> => {
      const body = toJson({ name, disk_format: 'raw', container_format: 'bare' })
      const answer = await fetch(images, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
      })
      expect(answer.status).toBe(201)
      const { id } = parseJson(await answer.text(), 'the image') as { id: string }
      return id
    }
    await create('first')
    await bound('glance')
    const image = await create('linux')
    const expected = { canonical_service: 'glance', service_type: 'image', node_name: 'linux', project_id: 'project-7' }
    await seen('image.create', image, expected)
    const upload = { method: 'PUT', headers: { ...headers, 'content-type': 'application/octet-stream' }, body: 'bytes' }
    expect((await fetch(`${images}/${image}/file`, upload)).status).toBe(204)
    await seen('image.upload', image, expected)
    await seen('image.activate', image, expected)
  })

  test('the broker’s state is shown', async () => {
    const ready = await fetch(`${serve!.url}/health/ready`)
    expect(await ready.json()).toMatchObject({ status: 'ok', checks: { events_broker: 'ok' } })
    const metrics = await (await fetch(`${serve!.url}/metrics`)).text()
    expect(metrics).toContain('mainstay_events_bridge_connected{source="broker"} 1')
    expect(metrics).toMatch(/mainstay_events_notifications_total\{service="glance"\} \d+/)
  })
})
