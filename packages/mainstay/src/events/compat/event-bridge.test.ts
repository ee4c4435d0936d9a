import { Worker } from 'node:worker_threads'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { parseJson, type Json } from '../../core/json.ts'
import type { EventBridgeOptions } from './bridge-options.ts'
import { StreamManager } from './stream-manager.ts'
import { FakeRedis } from './testing/fake-redis.ts'
import { FakeSocket } from './testing/fake-socket.ts'
import { bridgeStage, EVENT, FakeManager } from './testing/bridge-stage.ts'

const settled = { timeout: 10_000, interval: 5 }

describe('how the bridge reaches Redis (event-stream 7.1)', () => {
  const FIXED = { decodeText: true, connectTimeoutMs: 10_000, readTimeoutMs: null, healthCheckIntervalMs: 30_000 }

  test('E-52 by itself it looks where the reference looks', async () => {
    const { servers } = await bridgeStage([new FakeRedis()])
    expect(servers.settings).toEqual([{ host: 'redis', port: 6379, db: 0, ...FIXED }])
  })

  test('E-53 the environment says where', async () => {
    const { servers } = await bridgeStage([new FakeRedis()], {
      env: { REDIS_HOST: 'cache', REDIS_PORT: '6380', REDIS_DB: '3' },
    })
    expect(servers.settings).toEqual([{ host: 'cache', port: 6380, db: 3, ...FIXED }])
  })

  test('E-54 a Redis that answers is used', async () => {
    const redis = new FakeRedis()
    const { bridge, log } = await bridgeStage([redis])
    expect(redis.pings).toBe(1)
    expect(bridge.redis.client).toBe(redis)
    expect(bridge.redis.subscriber).toBe(redis.handle)
    expect(log.at('info')).toEqual(['The event bridge is connected to Redis'])
  })

  test.each<[string, EventBridgeOptions, FakeRedis[]]>([
    ['a ping that fails', {}, [new FakeRedis({ ping: [new Error('no')] })]],
    ['a client that cannot be built', {}, []],
    ['a port that is no number', { env: { REDIS_PORT: 'abc' } }, [new FakeRedis()]],
  ])('E-55 %s leaves the bridge without Redis', async (_what, options, servers) => {
    const { bridge, log } = await bridgeStage(servers, options)
    expect(log.at('error')).toEqual([expect.stringMatching(/^Failed to connect to Redis/)])
    expect([bridge.redis.client, bridge.redis.subscriber]).toEqual([null, null])
  })

  test('E-56 without Redis the local queue is all there is', async () => {
    const { bridge, log, servers, loops } = await bridgeStage([new FakeRedis()], { redisFactory: null })
    expect(log.at('warn')).toEqual([expect.stringContaining('local queue only')])
    expect(servers.settings).toEqual([])
    expect(bridge.redis.client).toBeNull()
    expect(loops.started).toEqual([])
  })
})

describe('a manager takes what comes (event-stream 7.2)', () => {
  const [SUBSCRIBER, PROCESSOR, RECONNECTOR] = [
    'event bridge subscriber',
    'event bridge processor',
    'event bridge reconnector',
  ]

  test('E-57 both loops are started', async () => {
    const { bridge, loops } = await bridgeStage([new FakeRedis()])
    const manager = new FakeManager()
    bridge.setManager(manager)
    expect(loops.names()).toEqual([SUBSCRIBER, PROCESSOR])
    await bridge.processSingleEvent(EVENT)
    expect(manager.events).toHaveLength(1)
  })

  test('E-58 without Redis nothing is subscribed', async () => {
    const { bridge, loops } = await bridgeStage([])
    bridge.setManager(new FakeManager())
    expect(loops.names()).toEqual([RECONNECTOR, PROCESSOR])
  })

  test('E-59 E-60 loops that run are not started again', async () => {
    const { bridge, loops } = await bridgeStage([new FakeRedis()])
    bridge.setManager(new FakeManager())
    loops.started[0]!.ended = true
    bridge.setManager(new FakeManager())
    expect(loops.names()).toEqual([SUBSCRIBER, PROCESSOR])
  })

  test('E-61 a processor that has ended is started again', async () => {
    const { bridge, loops } = await bridgeStage([new FakeRedis()])
    bridge.setManager(new FakeManager())
    loops.started[1]!.ended = true
    bridge.setManager(new FakeManager())
    expect(loops.names()).toEqual([SUBSCRIBER, PROCESSOR, PROCESSOR])
  })
})

describe('events are added (event-stream 7.3)', () => {
  const TEXT = '{"event_type":"a.b","payload":{"x":1}}'

  test('E-62 an event is published once', async () => {
    const redis = new FakeRedis({ publish: [3] })
    const { bridge, log } = await bridgeStage([redis])
    await bridge.addEvent('a.b', { x: 1 })
    expect(redis.published).toEqual([{ channel: 'osism:events', text: TEXT }])
    expect(bridge.localQueue.size).toBe(0)
    expect(log.at('info').at(-1)).toBe('Published a.b to 3 receivers')
    expect(log.at('warn')).toEqual([])
  })

  test('E-63 an event that nobody hears is warned of', async () => {
    const { bridge, log } = await bridgeStage([new FakeRedis({ publish: [0] })])
    await bridge.addEvent('a.b', { x: 1 })
    expect(log.at('warn')).toEqual(['No Redis subscribers for event: a.b'])
  })

  test('E-64 an event is published again after a reconnect', async () => {
    const [lost, fresh] = [new FakeRedis({ publish: [new Error('lost')] }), new FakeRedis({ publish: [2] })]
    const { bridge, log, servers } = await bridgeStage([lost, fresh])
    await bridge.addEvent('a.b', { x: 1 })
    expect(servers.settings).toHaveLength(2)
    expect([lost.published.length, fresh.published.length, lost.closed]).toEqual([1, 1, 1])
    expect(bridge.localQueue.size).toBe(0)
    expect(log.at('info').at(-1)).toContain('after reconnect')
  })

  test.each([
    ['Redis is away', []],
    ['the fresh connection fails too', [new FakeRedis({ publish: [new Error('lost')] })]],
  ])('E-65 an event waits when %s', async (_what, more) => {
    const lost = new FakeRedis({ publish: [new Error('lost')] })
    const { bridge, log } = await bridgeStage([lost, ...more])
    await bridge.addEvent('a.b', { x: 1 })
    expect(lost.published).toHaveLength(1)
    expect(bridge.localQueue.first).toEqual(EVENT)
    expect(log.at('error').at(-1)).toContain('Redis reconnection failed')
    expect([bridge.redis.client, bridge.redis.subscriber]).toEqual([null, null])
  })

  test('E-66 without Redis an event waits', async () => {
    const { bridge } = await bridgeStage([], { redisFactory: null })
    await bridge.addEvent('a.b', { x: 1 })
    expect(bridge.localQueue.first).toEqual(EVENT)
  })

  test('E-67 an event for which there is no room is dropped', async () => {
    const { bridge, log } = await bridgeStage([], { redisFactory: null, maxWaiting: 1 })
    await bridge.addEvent('a.b', { x: 1 })
    await bridge.addEvent('a.c', { x: 2 })
    expect(bridge.localQueue.size).toBe(1)
    expect(log.at('warn').at(-1)).toBe('Event bridge queue is full, dropping event')
  })

  test('E-68 an event that cannot be written is logged', async () => {
    const { bridge, log } = await bridgeStage([new FakeRedis()])
    const payload = {
      toJSON: () => {
        throw new Error('boom')
      },
    }
    await bridge.addEvent('a.b', payload as unknown as Json)
    expect(log.at('error')).toEqual(['Error adding event to bridge: boom'])
  })

  test('what waited for Redis is published first, and in order', async () => {
    const [lost, away] = [new FakeRedis({ publish: [new Error('lost')] }), new FakeRedis({ ping: [new Error('away')] })]
    const [flapping, fresh] = [new FakeRedis({ publish: [1, new Error('lost again')] }), new FakeRedis()]
    const { bridge, log, clock, loops } = await bridgeStage([lost, away, flapping, fresh], {
      reconnectDelayMs: (attempt) => attempt * 100,
    })
    for (const type of ['e.1', 'e.2', 'e.3']) await bridge.addEvent(type, {})
    expect(loops.names()).toEqual(['event bridge reconnector'])
    await bridge.runReconnector()
    expect(clock.sleeps).toEqual([100, 200])
    await bridge.addEvent('e.4', {})
    const sent = [...flapping.published.slice(0, 1), ...fresh.published]
    expect(sent.map(({ text }) => (parseJson(text, 'it') as { event_type: string }).event_type)).toEqual([
      'e.1',
      'e.2',
      'e.3',
      'e.4',
    ])
    expect(bridge.localQueue).toMatchObject({ size: 0, unfinished: 0 })
    expect(log.at('info').at(-1)).toBe('Published e.4 to 1 receivers')
  })

  test('with a manager the local queue is the processor’s, and a Redis that comes late is subscribed to', async () => {
    const late = new FakeRedis()
    const { bridge, loops } = await bridgeStage([new FakeRedis({ ping: [new Error('away')] }), late])
    bridge.setManager(new FakeManager())
    await bridge.addEvent('a.b', {})
    await bridge.runReconnector()
    expect(late.published).toEqual([])
    expect(bridge.localQueue.size).toBe(1)
    expect(loops.names().at(-1)).toBe('event bridge subscriber')
  })
})

describe('one event (event-stream 7.5)', () => {
  test('E-79 without a manager it is dropped', async () => {
    const { bridge, log } = await bridgeStage([new FakeRedis()])
    await bridge.processSingleEvent(EVENT)
    expect(log.at('warn')).toEqual(['No WebSocket manager available, dropping event'])
    expect(log.at('error')).toEqual([])
  })

  test('E-80 the manager is given type and payload', async () => {
    const { bridge } = await bridgeStage([new FakeRedis()])
    const manager = new FakeManager()
    bridge.setManager(manager)
    await bridge.processSingleEvent(EVENT)
    expect(manager.events).toEqual([{ eventType: 'a.b', payload: { x: 1 } }])
  })

  test('E-81 what the manager throws is logged', async () => {
    const { bridge, log } = await bridgeStage([new FakeRedis()])
    const manager = new FakeManager()
    manager.failure = new Error('boom')
    bridge.setManager(manager)
    await bridge.processSingleEvent(EVENT)
    expect(log.at('error')).toEqual(['Error processing event via bridge: boom'])
  })

  test.each<[string, Json]>([
    ['a list', [1]],
    ['without a type', { payload: {} }],
    ['without a payload', { event_type: 'a.b' }],
  ])('E-81 %s is logged', async (_what, event) => {
    const { bridge, log } = await bridgeStage([new FakeRedis()])
    const manager = new FakeManager()
    bridge.setManager(manager)
    await bridge.processSingleEvent(event)
    expect(manager.events).toEqual([])
    expect(log.at('error')).toEqual([expect.stringMatching(/^Error processing event via bridge: /)])
  })

  test('a manager that does not answer is given up after 10 s', async () => {
    const clock = new ManualClock()
    const { bridge, log } = await bridgeStage([new FakeRedis()], { clock })
    bridge.setManager({ broadcastEventFromNotification: async () => await new Promise<never>(() => {}) })
    const processing = bridge.processSingleEvent(EVENT)
    await clock.advance(10_000)
    await processing
    expect(log.at('error')).toEqual([expect.stringContaining('took longer than 10000 ms')])
  })

  test('E-82 an event of another thread reaches a client', async () => {
    const { bridge } = await bridgeStage([new FakeRedis()])
    const manager = new StreamManager()
    const socket = new FakeSocket()
    await manager.connect(socket)
    bridge.setManager(manager)
    const worker = new Worker(
      `require('node:worker_threads').parentPort.postMessage({ event_type: 'foo.bar', payload: { x: 7 } })`,
      { eval: true },
    )
    onTestFinished(async () => {
      await worker.terminate()
      await manager.close()
    })
    worker.once('message', (event: Json) => void bridge.processSingleEvent(event))
    await vi.waitFor(() => expect(socket.texts).toHaveLength(1), settled)
    expect(parseJson(socket.texts[0]!, 'a frame')).toMatchObject({
      event_type: 'foo.bar',
      data: { x: 7, service_type: 'foo' },
    })
  })
})
