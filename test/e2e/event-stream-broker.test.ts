import { randomUUID } from 'node:crypto'

import { Cluster, skipReason, type ManagedServer } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { Connection, type Publisher } from 'rabbitmq-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test, type TestContext } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { isJsonObject, toJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import type { EventFrame } from '../../packages/mainstay/src/events/testing/stream-client.ts'
import { waitUntil } from '../real/lab/wait-until.ts'
import { need } from '../support/need.ts'
import { Follower } from './support/event-nodes.ts'

/** What services send, from a real RabbitMQ through real processes and a real Redis to a client. */

const PATIENCE = { timeoutMs: 60_000 }
const clock = new SystemClock()

let rabbits: Cluster | undefined
let rabbit: ManagedServer

beforeAll(async () => {
  if ((await skipReason('rabbitmq')) !== undefined) return
  rabbits = await Cluster.create({ name: 'events-broker' })
  rabbit = rabbits.component('rabbitmq')
  await rabbit.start()
}, 120_000)

afterAll(async () => {
  await rabbits?.dispose()
}, 60_000)

beforeEach((ctx: TestContext) => {
  need(ctx, { program: 'redis-server', package: 'redis-server' })
  need(ctx, { program: 'rabbitmq-server', package: 'rabbitmq-server' })
})

const brokerUrl = (): string => `amqp://guest:guest@127.0.0.1:${rabbit.port}/`

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1)
}

/** A service: it makes its exchange, and numbers what it sends there; each is confirmed before the next. */
class Service implements AsyncDisposable {
  readonly name: string
  /** The number of the last notification that the broker has. */
  confirmed = 0
  readonly #connection: Connection
  readonly #publisher: Publisher

  private constructor(name: string, connection: Connection) {
    this.name = name
    this.#connection = connection
    this.#publisher = connection.createPublisher({ confirm: true, maxAttempts: 1 })
  }

  static async start(name: string): Promise<Service> {
    const connection = new Connection({ url: brokerUrl() })
    connection.on('error', () => {})
    await connection.exchangeDeclare({ exchange: name, type: 'topic', durable: true })
    return new Service(name, connection)
  }

  /** Waits until a node takes from the queue; what is sent before it is there goes nowhere. */
  async heard(prefix: string): Promise<void> {
    const queue = `${prefix}-${this.name}`
    const listened = async (): Promise<boolean> =>
      (await this.#connection.queueDeclare({ queue, passive: true })).consumerCount > 0
    await waitUntil(listened, { ...PATIENCE, what: `a listener on the queue ${queue}` })
  }

  async send(count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += 1) await this.#sendNext()
  }

  /** Sends at its own pace until it is told to end. */
  async sendUntil(ended: Promise<unknown>, paceMs: number): Promise<void> {
    const ending = new AbortController()
    const end = (): void => ending.abort()
    void ended.then(end, end)
    while (!ending.signal.aborted) {
      await this.#sendNext()
      await clock.sleep(paceMs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher.close()
    await this.#connection.close()
  }

  async #sendNext(): Promise<void> {
    const n = this.confirmed + 1
    const notification = {
      message_id: randomUUID(),
      event_type: 'service.update',
      priority: 'INFO',
      timestamp: '2026-11-21 09:00:00.000000',
      publisher_id: `${this.name}-api:host-1`,
      payload: { n },
    }
    const envelope = { exchange: this.name, routingKey: 'versioned_notifications.info', durable: true }
    const body = toJson({ 'oslo.version': '2.0', 'oslo.message': toJson(notification) })
    await this.#publisher.send(
      { ...envelope, contentType: 'application/json', contentEncoding: 'utf-8' },
      Buffer.from(body),
    )
    this.confirmed = n
  }
}

/** `mainstay serve` on one log, each the only listener to one service: of one queue one node keeps the order. */
class Nodes implements AsyncDisposable {
  readonly redis: ManagedServer
  readonly nodes: readonly ManagedServer[]
  readonly #cluster: Cluster

  private constructor(cluster: Cluster, redis: ManagedServer, nodes: readonly ManagedServer[]) {
    this.#cluster = cluster
    this.redis = redis
    this.nodes = nodes
  }

  static async start(prefix: string, services: readonly Service[]): Promise<Nodes> {
    const cluster = await Cluster.create({ name: prefix })
    try {
      const redis = cluster.component('redis')
      await redis.start()
      for (const { name } of services) {
        const config = {
          compute: { simulated_hosts: 1, simulated_guests: 1 },
          log: { level: 'warn' },
          events: {
            store: 'redis',
            redis_url: `redis://127.0.0.1:${redis.port}/0`,
            openstack: {
              url: brokerUrl(),
              queue_prefix: prefix,
              bindings: [{ service: name, exchanges: [name], routing_keys: ['versioned_notifications.*'] }],
            },
          },
        }
        cluster.add(serveSpec({ name: `${name}-node`, roles: ['api', 'events'], config, dependsOn: ['redis'] }))
      }
      await cluster.startAll()
      await Promise.all(services.map(async (service) => await service.heard(prefix)))
      return new Nodes(
        cluster,
        redis,
        services.map(({ name }) => cluster.get(`${name}-node`)),
      )
    } catch (error) {
      await cluster.dispose({ failed: true })
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.dispose()
  }
}

/** Numbers that a service gave to what a client was shown, in the order in which it was. */
function shown(follower: Follower, { name }: Service): number[] {
  return follower.connections
    .flatMap(({ events }) => events)
    .filter(({ publisher_id: publisher }) => publisher === `${name}-api:host-1`)
    .map(numberOf)
}

function numberOf({ data }: EventFrame): number {
  return isJsonObject(data) ? Number(data['n']) : Number.NaN
}

async function untilShown(follower: Follower, service: Service, n = service.confirmed): Promise<void> {
  const what = `${service.name}'s notification ${n} at the client`
  await waitUntil(() => shown(follower, service).includes(n), { ...PATIENCE, what })
}

/** Every notification once, in its service's order, and no place of the log left out or shown twice. */
async function expectEverything(follower: Follower, services: readonly Service[]): Promise<void> {
  for (const service of services) {
    await untilShown(follower, service)
    expect(shown(follower, service)).toEqual(upTo(service.confirmed))
  }
  expect(follower.seqs).toEqual(upTo(follower.seqs.length))
}

function controls(follower: Follower, type: string): JsonObject[] {
  return follower.connections.flatMap((each) => each.control(type))
}

describe('the stream of what services send', { timeout: 240_000 }, () => {
  test('E-201 E-202 E-203 from a broker: cuts, another node, and a restart of all nodes show every notification once', async () => {
    await using nova = await Service.start('nova')
    await using cinder = await Service.start('cinder')
    const services = [nova, cinder]
    await using there = await Nodes.start('wander', services)
    const [one, two] = there.nodes as [ManagedServer, ManagedServer]
    using follower = new Follower('since=earliest')
    await follower.connect(() => one.url)

    /** Does something in the middle of what both services send at full speed. */
    const amid = async (work: () => Promise<void>): Promise<void> => {
      const before = services.map(({ confirmed }) => confirmed)
      const sending = Promise.all(services.map(async (service) => await service.send(100)))
      const working = async (): Promise<void> => {
        for (const [index, service] of services.entries()) await untilShown(follower, service, before[index]! + 5)
        await work()
      }
      await Promise.all([sending, working()])
    }

    await amid(async () => {
      follower.cut()
      await follower.connect(() => one.url)
    })
    await amid(async () => {
      follower.cut()
      await follower.connect(() => two.url)
      follower.cut()
      await follower.connect(() => one.url)
    })
    await amid(async () => {
      await one.kill()
      await follower.current.untilClosed()
      await follower.connect(() => two.url)
      await one.start()
    })
    await amid(async () => {
      const leaving = two.restart()
      expect(await follower.current.untilClosed()).toMatchObject({ code: 1012 })
      await follower.connect(() => one.url)
      await leaving
    })
    await expectEverything(follower, services)
    expect(services.map(({ confirmed }) => confirmed)).toEqual([400, 400])
    expect(controls(follower, 'reset')).toEqual([])
  })

  test('E-204 E-205 from a broker: Redis is away twice and nothing is lost; wiped, every client is told', async () => {
    await using nova = await Service.start('nova')
    await using there = await Nodes.start('outage', [nova])
    const [node] = there.nodes as [ManagedServer]
    using follower = new Follower('since=earliest')
    using ending = new Follower()
    using staying = new Follower('on_reset=continue')
    for (const each of [follower, ending, staying]) await each.connect(() => node.url)

    for (const [outageMs, how] of [
      [1000, 'kill'],
      [8000, 'stop'],
    ] as const) {
      await nova.send(20)
      const outage = async (): Promise<void> => {
        await there.redis[how]()
        // The time that Redis is away is what the test is about.
        await clock.sleep(outageMs)
        await there.redis.start()
      }
      const [before, away] = [nova.confirmed, outage()]
      await Promise.all([away, nova.sendUntil(away, 20)])
      expect(nova.confirmed).toBeGreaterThan(before)
      await nova.send(20)
      for (const each of [follower, ending, staying]) await expectEverything(each, [nova])
    }
    for (const each of [follower, ending, staying]) {
      expect(each.connections).toHaveLength(1)
      expect(controls(each, 'reset')).toEqual([])
    }

    await there.redis.sql('FLUSHALL')
    for (const each of [follower, ending]) {
      expect(await each.current.untilClosed()).toEqual({ code: 4410, reason: 'epoch_changed' })
    }
    await nova.send(10)
    await untilShown(staying, nova)
    for (const each of [follower, ending, staying]) {
      expect(controls(each, 'reset')).toMatchObject([{ reason: 'epoch_changed' }])
    }
    expect(shown(staying, nova)).toEqual(upTo(nova.confirmed))
  })
})
