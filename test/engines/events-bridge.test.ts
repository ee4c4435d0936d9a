import { afterAll, beforeAll, beforeEach, describe, expect, test, vi, type TestContext } from 'vitest'
import { Cluster, skipReason, type ManagedServer } from '@mainstay/testkit'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { parseJson, toJson, type Json, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { bridgeRedisFromUrl } from '../../packages/mainstay/src/events/compat/bridge-redis.ts'
import { EventBridge } from '../../packages/mainstay/src/events/compat/event-bridge.ts'
import { redisDriver } from '../../packages/mainstay/src/events/compat/redis-driver.ts'
import { LogLines } from '../../packages/mainstay/src/events/compat/testing/log-lines.ts'
import { openRedis, type RedisConnection } from '../../packages/mainstay/src/store/redis/index.ts'
import { needThat } from '../support/need.ts'

const clock = new SystemClock()
const random = new SystemRandom()
const patience = { timeout: 30_000, interval: 20 }
/** A database of its own, as the tests of the reference want it. */
const DATABASE = 7

let reason: string | undefined
let cluster: Cluster | undefined
let redis: ManagedServer
let raw: RedisConnection
let channel: string
let serial = 0

beforeAll(async () => {
  reason = await skipReason('redis')
  if (reason !== undefined) return
  cluster = await Cluster.create({ name: 'events-bridge' })
  redis = cluster.component('redis')
  await redis.start()
  raw = openRedis({ clock, random, logger: silentLogger(), url: url() })
  await raw.whenReady({ timeoutMs: 30_000 })
})

afterAll(async () => {
  await raw?.close()
  await cluster?.dispose()
})

beforeEach((ctx: TestContext) => {
  needThat(ctx, reason === undefined, reason ?? '')
  serial += 1
  channel = `test:events:${process.pid}:${serial}`
})

const url = (): string => `redis://127.0.0.1:${redis.port}/${DATABASE}`

async function bridge(log = new LogLines()): Promise<EventBridge & { readonly log: LogLines }> {
  const made = new EventBridge({
    channel,
    logger: log.logger,
    redisFactory: redisDriver({ clock, random, logger: silentLogger() }),
    settings: () => ({ ...bridgeRedisFromUrl(url()), connectTimeoutMs: 1000 }),
    subscription: { retryDelayMs: () => 50 },
    reconnectDelayMs: () => 50,
  })
  await made.ready
  return Object.assign(made, { log })
}

/** A bridge that writes down what it takes. */
async function hearing(
  log?: LogLines,
): Promise<{ bridge: EventBridge; events: [string, unknown][] } & AsyncDisposable> {
  const made = await bridge(log)
  const events: [string, unknown][] = []
  made.setManager({ broadcastEventFromNotification: async (type, payload) => void events.push([type, payload]) })
  await vi.waitFor(() => expect(made.subscribed).toBe(true), patience)
  return { bridge: made, events, [Symbol.asyncDispose]: async () => await made.shutdown() }
}

async function subscribers(): Promise<number> {
  const reply = (await raw.ask(['PUBSUB', 'NUMSUB', channel])) as readonly Json[]
  return Number(reply[1])
}

describe('the bridge over a live Redis (event-stream 10 P)', () => {
  const NESTED: JsonObject = { x: { y: [1, null, { z: 'ü' }] }, nothing: null }

  test('E-101 others see type and payload, whole', async () => {
    await using out = await bridge()
    const seen: Json[] = []
    await using listener = raw.duplicate()
    await listener.whenReady({ timeoutMs: 30_000 })
    await listener.hear(channel, (text) => void seen.push(parseJson(text, 'a message')))
    await out.addEvent('baremetal.node.power_set.end', NESTED)
    await vi.waitFor(() => expect(seen).toHaveLength(1), patience)
    expect(seen).toEqual([{ event_type: 'baremetal.node.power_set.end', payload: NESTED }])
    expect(Object.keys(seen[0] as JsonObject)).toEqual(['event_type', 'payload'])
  })

  test('E-102 E-103 another bridge takes them unchanged, also an empty payload', async () => {
    await using inbound = await hearing()
    await using out = await bridge()
    await out.addEvent('a.b', NESTED)
    await out.addEvent('a.c', {})
    await vi.waitFor(() => expect(inbound.events).toHaveLength(2), patience)
    expect(inbound.events).toEqual([
      ['a.b', NESTED],
      ['a.c', {}],
    ])
  })

  test('E-104 nobody who listens is a warning', async () => {
    await using out = await bridge()
    expect(await out.addEvent('a.b', {})).toBeUndefined()
    expect(out.log.at('warn')).toEqual(['No Redis subscribers for event: a.b'])
  })

  test('E-105 what is no event is logged, and what follows arrives', async () => {
    const log = new LogLines()
    await using inbound = await hearing(log)
    for (const text of ['not-json', toJson({ event_type: 'a.b' }), toJson({ event_type: 'good', payload: { x: 1 } })]) {
      await raw.ask(['PUBLISH', channel, text])
    }
    await vi.waitFor(() => expect(inbound.events).toHaveLength(1), patience)
    expect(inbound.events).toEqual([['good', { x: 1 }]])
    expect(log.at('error')).toEqual([
      expect.stringContaining('Failed to decode Redis event message'),
      expect.stringContaining('Error processing event via bridge'),
    ])
  })

  test('E-106 after shutdown nobody listens any more', async () => {
    const inbound = await hearing()
    expect(await subscribers()).toBe(1)
    await inbound.bridge.shutdown()
    await vi.waitFor(async () => expect(await subscribers()).toBe(0), patience)
    expect(inbound.bridge.subscribed).toBe(false)
  })

  test('E-204 a Redis that is away for a while loses nothing that is added, and is heard again', async () => {
    await using inbound = await hearing()
    await using out = await bridge()
    await out.addEvent('e.1', {})
    await vi.waitFor(() => expect(inbound.events).toHaveLength(1), patience)
    await redis.stop()
    await vi.waitFor(() => expect(inbound.bridge.subscribed).toBe(false), patience)
    for (const type of ['e.2', 'e.3', 'e.4']) await out.addEvent(type, {})
    expect(out.localQueue.size).toBe(3)
    await redis.start()
    await vi.waitFor(() => expect(inbound.bridge.subscribed).toBe(true), patience)
    await vi.waitFor(() => expect(out.localQueue.size).toBe(0), patience)
    await out.addEvent('e.5', {})
    await vi.waitFor(() => expect(inbound.events.at(-1)?.[0]).toBe('e.5'), patience)
    expect(out.log.at('warn').filter((line) => line.includes('full'))).toEqual([])
  })
})
