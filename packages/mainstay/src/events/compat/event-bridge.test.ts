import { Worker } from 'node:worker_threads'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { parseJson, toJson, type Json } from '../../core/json.ts'
import type { BridgeManager, EventBridgeOptions } from './bridge-options.ts'
import { EventBridge } from './event-bridge.ts'
import { StreamManager } from './stream-manager.ts'
import { type FakeLoop, FakeLoops } from './testing/fake-loops.ts'
import { FakeRedis, FakeRedisServers, FakeSubscriber } from './testing/fake-redis.ts'
import { FakeSocket } from './testing/fake-socket.ts'
import { LogLines } from './testing/log-lines.ts'
import { RecordingClock } from './testing/recording-clock.ts'

const settled = { timeout: 10_000, interval: 5 }

interface Stage {
  readonly bridge: EventBridge
  readonly log: LogLines
  readonly loops: FakeLoops
  readonly servers: FakeRedisServers
  readonly clock: RecordingClock
}

/** A bridge whose connections are the given ones, in turn, and whose loops a test runs itself. */
async function stage(servers: readonly FakeRedis[], options: EventBridgeOptions = {}): Promise<Stage> {
  const [log, loops, clock, redis] = [
    new LogLines(),
    new FakeLoops(),
    new RecordingClock(),
    new FakeRedisServers(...servers),
  ]
  const bridge = new EventBridge({
    channel: 'osism:events',
    clock,
    logger: log.logger,
    startLoop: loops.start,
    redisFactory: redis.factory,
    subscription: { maxRetries: 5, retryDelayMs: () => 5000, pollTimeoutMs: 10_000 },
    eventLogLevel: 'info',
    ...options,
  })
  await bridge.ready
  return { bridge, log, loops, servers: redis, clock }
}

class FakeManager implements BridgeManager {
  readonly events: { eventType: string; payload: unknown }[] = []
  failure: Error | undefined

  async broadcastEventFromNotification(eventType: string, payload: unknown): Promise<void> {
    this.events.push({ eventType, payload })
    if (this.failure !== undefined) throw this.failure
  }
}

const EVENT = { event_type: 'a.b', payload: { x: 1 } }
const FRAME = { type: 'message', data: toJson(EVENT) }

describe('how the bridge reaches Redis (event-stream 7.1)', () => {
  const FIXED = { decodeText: true, connectTimeoutMs: 10_000, readTimeoutMs: null, healthCheckIntervalMs: 30_000 }

  test('E-52 by itself it looks where the reference looks', async () => {
    const { servers } = await stage([new FakeRedis()])
    expect(servers.settings).toEqual([{ host: 'redis', port: 6379, db: 0, ...FIXED }])
  })

  test('E-53 the environment says where', async () => {
    const { servers } = await stage([new FakeRedis()], {
      env: { REDIS_HOST: 'cache', REDIS_PORT: '6380', REDIS_DB: '3' },
    })
    expect(servers.settings).toEqual([{ host: 'cache', port: 6380, db: 3, ...FIXED }])
  })

  test('E-54 a Redis that answers is used', async () => {
    const redis = new FakeRedis()
    const { bridge, log } = await stage([redis])
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
    const { bridge, log } = await stage(servers, options)
    expect(log.at('error')).toEqual([expect.stringMatching(/^Failed to connect to Redis/)])
    expect([bridge.redis.client, bridge.redis.subscriber]).toEqual([null, null])
  })

  test('E-56 without Redis the local queue is all there is', async () => {
    const { bridge, log, servers, loops } = await stage([new FakeRedis()], { redisFactory: null })
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
    const { bridge, loops } = await stage([new FakeRedis()])
    const manager = new FakeManager()
    bridge.setManager(manager)
    expect(loops.names()).toEqual([SUBSCRIBER, PROCESSOR])
    await bridge.processSingleEvent(EVENT)
    expect(manager.events).toHaveLength(1)
  })

  test('E-58 without Redis nothing is subscribed', async () => {
    const { bridge, loops } = await stage([])
    bridge.setManager(new FakeManager())
    expect(loops.names()).toEqual([RECONNECTOR, PROCESSOR])
  })

  test('E-59 E-60 loops that run are not started again', async () => {
    const { bridge, loops } = await stage([new FakeRedis()])
    bridge.setManager(new FakeManager())
    loops.started[0]!.ended = true
    bridge.setManager(new FakeManager())
    expect(loops.names()).toEqual([SUBSCRIBER, PROCESSOR])
  })

  test('E-61 a processor that has ended is started again', async () => {
    const { bridge, loops } = await stage([new FakeRedis()])
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
    const { bridge, log } = await stage([redis])
    await bridge.addEvent('a.b', { x: 1 })
    expect(redis.published).toEqual([{ channel: 'osism:events', text: TEXT }])
    expect(bridge.localQueue.size).toBe(0)
    expect(log.at('info').at(-1)).toBe('Published a.b to 3 receivers')
    expect(log.at('warn')).toEqual([])
  })

  test('E-63 an event that nobody hears is warned of', async () => {
    const { bridge, log } = await stage([new FakeRedis({ publish: [0] })])
    await bridge.addEvent('a.b', { x: 1 })
    expect(log.at('warn')).toEqual(['No Redis subscribers for event: a.b'])
  })

  test('E-64 an event is published again after a reconnect', async () => {
    const [lost, fresh] = [new FakeRedis({ publish: [new Error('lost')] }), new FakeRedis({ publish: [2] })]
    const { bridge, log, servers } = await stage([lost, fresh])
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
    const { bridge, log } = await stage([lost, ...more])
    await bridge.addEvent('a.b', { x: 1 })
    expect(lost.published).toHaveLength(1)
    expect(bridge.localQueue.first).toEqual(EVENT)
    expect(log.at('error').at(-1)).toContain('Redis reconnection failed')
    expect([bridge.redis.client, bridge.redis.subscriber]).toEqual([null, null])
  })

  test('E-66 without Redis an event waits', async () => {
    const { bridge } = await stage([], { redisFactory: null })
    await bridge.addEvent('a.b', { x: 1 })
    expect(bridge.localQueue.first).toEqual(EVENT)
  })

  test('E-67 an event for which there is no room is dropped', async () => {
    const { bridge, log } = await stage([], { redisFactory: null, maxWaiting: 1 })
    await bridge.addEvent('a.b', { x: 1 })
    await bridge.addEvent('a.c', { x: 2 })
    expect(bridge.localQueue.size).toBe(1)
    expect(log.at('warn').at(-1)).toBe('Event bridge queue is full, dropping event')
  })

  test('E-68 an event that cannot be written is logged', async () => {
    const { bridge, log } = await stage([new FakeRedis()])
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
    const { bridge, log, clock, loops } = await stage([lost, away, flapping, fresh], {
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
    const { bridge, loops } = await stage([new FakeRedis({ ping: [new Error('away')] }), late])
    bridge.setManager(new FakeManager())
    await bridge.addEvent('a.b', {})
    await bridge.runReconnector()
    expect(late.published).toEqual([])
    expect(bridge.localQueue.size).toBe(1)
    expect(loops.names().at(-1)).toBe('event bridge subscriber')
  })
})

describe('the subscription (event-stream 7.4)', () => {
  /** Shuts a bridge down from inside a poll, which then times out. */
  const thenStop = (get: () => EventBridge) => (): null => {
    void get().shutdown()
    return null
  }

  /** A bridge whose handles do what each script says, and then stop it. */
  async function hearing(
    scripts: readonly { subscribe?: Error[]; poll?: (Error | { type: string; data: string })[] }[],
    { manager, closeFailure }: { manager?: BridgeManager; closeFailure?: Error } = {},
  ): Promise<Stage & { handles: FakeSubscriber[] }> {
    const handles = scripts.map(
      ({ subscribe = [], poll = [] }) => new FakeSubscriber({ subscribe, poll: [...poll, thenStop(() => all.bridge)] }),
    )
    for (const handle of handles) handle.closeFailure = closeFailure
    const all: Stage = await stage(handles.map((subscriber) => new FakeRedis({ subscriber })))
    if (manager !== undefined) all.bridge.setManager(manager)
    await all.bridge.runSubscription()
    return { ...all, handles }
  }

  const calls = (handles: readonly FakeSubscriber[]): unknown =>
    handles.map(({ subscribed, closed }) => [subscribed.length, closed])

  test('E-69 without a handle it ends at once', async () => {
    const { bridge, log } = await stage([])
    await bridge.runSubscription()
    expect(log.at('error').at(-1)).toBe('Redis subscriber not available')
  })

  test('E-70 it subscribes once, polls for 10 s, and closes once', async () => {
    const { handles, log, bridge } = await hearing([{}])
    expect(handles[0]).toMatchObject({ subscribed: ['osism:events'], polls: [10_000], closed: 1 })
    expect(log.at('info').at(-1)).toBe('Redis subscriber stopped')
    expect(bridge.subscribed).toBe(false)
  })

  test('E-71 a message goes to the manager', async () => {
    const manager = new FakeManager()
    await hearing([{ poll: [{ type: 'subscribe', data: 'osism:events' }, FRAME] }], { manager })
    expect(manager.events).toEqual([{ eventType: 'a.b', payload: { x: 1 } }])
  })

  test('E-72 without a manager a message waits', async () => {
    const { bridge } = await hearing([{ poll: [FRAME] }])
    expect(bridge.localQueue.first).toEqual(EVENT)
  })

  test('E-73 what is not JSON is logged, and it goes on', async () => {
    const { handles, log } = await hearing([{ poll: [{ type: 'message', data: 'not-json' }] }])
    expect(handles[0]!.polls).toHaveLength(2)
    expect(log.at('error')).toEqual([expect.stringMatching(/^Failed to decode Redis event message/)])
  })

  test('E-73 what is far too long is not looked at', async () => {
    const long = { type: 'message', data: toJson({ event_type: 'a.b', payload: 'x'.repeat(1024 * 1024) }) }
    const { bridge, log } = await hearing([{ poll: [long] }])
    expect(bridge.localQueue.size).toBe(0)
    expect(log.at('error')).toEqual([
      expect.stringMatching(/^Failed to decode Redis event message: it has \d+ letters/),
    ])
  })

  test('E-74 what cannot be processed is logged, and it goes on', async () => {
    const log = new LogLines()
    const handle = new FakeSubscriber({ poll: [FRAME, thenStop(() => bridge)] })
    const bridge: EventBridge = new (class extends EventBridge {
      override async processSingleEvent(): Promise<void> {
        throw new Error('boom')
      }
    })({
      logger: log.logger,
      startLoop: new FakeLoops().start,
      redisFactory: new FakeRedisServers(new FakeRedis({ subscriber: handle })).factory,
    })
    await bridge.ready
    bridge.setManager(new FakeManager())
    await bridge.runSubscription()
    expect(handle.polls).toHaveLength(2)
    expect(log.at('error')).toEqual(['Error processing Redis event: boom'])
  })

  test('E-75 a poll that fails leads to a fresh handle', async () => {
    const { handles, log, clock, servers } = await hearing([{ poll: [new Error('lost')] }, {}])
    expect(calls(handles)).toEqual([
      [1, 1],
      [1, 1],
    ])
    expect(clock.sleeps).toEqual([5000])
    expect(servers.settings).toHaveLength(2)
    expect(log.at('error')).toEqual(['Error getting Redis message: lost', expect.stringContaining('attempt 1/5')])
  })

  test('E-76 a subscription that is refused leads to a fresh handle', async () => {
    const { handles, log, clock, servers } = await hearing([{ subscribe: [new Error('refused')] }, {}])
    expect(calls(handles)).toEqual([
      [1, 1],
      [1, 1],
    ])
    expect(clock.sleeps).toEqual([5000])
    expect(servers.settings).toHaveLength(2)
    expect(log.at('error')).toEqual([expect.stringContaining('attempt 1/5')])
    expect(log.at('info')).toContain('Retrying Redis connection in 5 seconds')
  })

  test('E-77 after five failures it gives up', async () => {
    const refused = Array.from({ length: 5 }, () => ({ subscribe: [new Error('refused')] }))
    const { handles, log, clock, servers } = await hearing(refused)
    expect(calls(handles)).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
    ])
    expect(clock.sleeps).toEqual([5000, 5000, 5000, 5000])
    expect(servers.settings).toHaveLength(5)
    expect(log.at('error').at(-1)).toBe('Max Redis reconnection attempts reached, giving up')
  })

  test('E-78 a handle that cannot be closed does not matter', async () => {
    const { handles, log } = await hearing([{}], { closeFailure: new Error('boom') })
    expect(handles[0]!.closed).toBe(1)
    expect(log.at('error')).toEqual([])
    expect(log.at('info').at(-1)).toBe('Redis subscriber stopped')
  })

  test('a Redis that is away for longer than one delay is a failure like any other', async () => {
    const late = new FakeSubscriber({ poll: [thenStop(() => all.bridge)] })
    const away = (): FakeRedis => new FakeRedis({ ping: [new Error('away')] })
    const all: Stage = await stage([
      new FakeRedis({ subscriber: new FakeSubscriber({ poll: [new Error('lost')] }) }),
      away(),
      away(),
      new FakeRedis({ subscriber: late }),
    ])
    await all.bridge.runSubscription()
    expect(late.subscribed).toEqual(['osism:events'])
    expect(all.clock.sleeps).toEqual([5000, 5000, 5000])
    expect(all.log.at('error')).toContainEqual(expect.stringContaining('attempt 3/5'))
  })

  test('shutdown ends the wait for the next attempt', async () => {
    const clock = new ManualClock()
    const refused = new FakeSubscriber({ subscribe: [new Error('refused')] })
    const all = await stage([new FakeRedis({ subscriber: refused }), new FakeRedis()], { clock })
    const running = all.bridge.runSubscription()
    await clock.advance(4999)
    expect([clock.pending, all.servers.settings.length]).toEqual([1, 1])
    await all.bridge.shutdown()
    await running
    expect([clock.pending, all.servers.settings.length]).toEqual([0, 1])
    expect(all.log.at('info').at(-1)).toBe('Redis subscriber stopped')
  })

  test('a poll that fails because of the shutdown is no failure', async () => {
    const handle = new FakeSubscriber({
      poll: [
        async () => {
          void all.bridge.shutdown()
          throw new Error('closed')
        },
      ],
    })
    const all: Stage = await stage([new FakeRedis({ subscriber: handle })])
    await all.bridge.runSubscription()
    expect(all.log.at('error')).toEqual([])
    expect(handle.closed).toBe(1)
  })

  test('a clock that fails is not hidden', async () => {
    const clock = new (class extends RecordingClock {
      override async sleep(): Promise<void> {
        throw new RangeError('no timer')
      }
    })()
    const refused = new FakeSubscriber({ subscribe: [new Error('refused')] })
    const { bridge } = await stage([new FakeRedis({ subscriber: refused })], { clock })
    await expect(bridge.runSubscription()).rejects.toThrow('no timer')
    await expect(bridge.runReconnector()).rejects.toThrow('no timer')
  })

  test('R8 delays grow with failures in a row, and begin anew after a subscription that held', async () => {
    const delays: number[] = []
    const held = (clock: ManualClock): FakeSubscriber =>
      new FakeSubscriber({
        poll: [
          async () => {
            await clock.advance(30_000)
            throw new Error('lost after a while')
          },
        ],
      })
    const failing = new FakeSubscriber({ subscribe: [new Error('refused')] })
    const clock = new RecordingClock()
    const last = new FakeSubscriber({ poll: [thenStop(() => all.bridge)] })
    const all: Stage = await stage(
      [failing, new FakeSubscriber({ subscribe: [new Error('refused')] }), held(clock), last].map(
        (subscriber) => new FakeRedis({ subscriber }),
      ),
      {
        clock,
        subscription: { retryDelayMs: (failures) => (delays.push(failures), 1), maxRetries: Infinity },
      },
    )
    await all.bridge.runSubscription()
    expect(delays).toEqual([1, 2, 1])
  })
})

describe('one event (event-stream 7.5)', () => {
  test('E-79 without a manager it is dropped', async () => {
    const { bridge, log } = await stage([new FakeRedis()])
    await bridge.processSingleEvent(EVENT)
    expect(log.at('warn')).toEqual(['No WebSocket manager available, dropping event'])
    expect(log.at('error')).toEqual([])
  })

  test('E-80 the manager is given type and payload', async () => {
    const { bridge } = await stage([new FakeRedis()])
    const manager = new FakeManager()
    bridge.setManager(manager)
    await bridge.processSingleEvent(EVENT)
    expect(manager.events).toEqual([{ eventType: 'a.b', payload: { x: 1 } }])
  })

  test('E-81 what the manager throws is logged', async () => {
    const { bridge, log } = await stage([new FakeRedis()])
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
    const { bridge, log } = await stage([new FakeRedis()])
    const manager = new FakeManager()
    bridge.setManager(manager)
    await bridge.processSingleEvent(event)
    expect(manager.events).toEqual([])
    expect(log.at('error')).toEqual([expect.stringMatching(/^Error processing event via bridge: /)])
  })

  test('a manager that does not answer is given up after 10 s', async () => {
    const clock = new ManualClock()
    const { bridge, log } = await stage([new FakeRedis()], { clock })
    bridge.setManager({ broadcastEventFromNotification: async () => await new Promise<never>(() => {}) })
    const processing = bridge.processSingleEvent(EVENT)
    await clock.advance(10_000)
    await processing
    expect(log.at('error')).toEqual([expect.stringContaining('took longer than 10000 ms')])
  })

  test('E-82 an event of another thread reaches a client', async () => {
    const { bridge } = await stage([new FakeRedis()])
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

describe('the processor (event-stream 7.6)', () => {
  /** A bridge that does `work` with each event instead of handing it on. */
  async function processing(
    work: (bridge: EventBridge, event: Json) => Promise<void>,
  ): Promise<{ bridge: EventBridge; log: LogLines; clock: ManualClock }> {
    const [log, clock] = [new LogLines(), new ManualClock()]
    const bridge = new (class extends EventBridge {
      override async processSingleEvent(event: Json): Promise<void> {
        await work(this, event)
      }
    })({ logger: log.logger, clock, startLoop: new FakeLoops().start })
    await bridge.ready
    return { bridge, log, clock }
  }

  test('E-83 what waits is processed once', async () => {
    const seen: Json[] = []
    const { bridge } = await processing(async (self, event) => {
      seen.push(event)
      void self.shutdown()
    })
    await bridge.addEvent('a.b', { x: 1 })
    await bridge.runProcessor()
    expect(seen).toEqual([EVENT])
    expect(bridge.localQueue.unfinished).toBe(0)
  })

  test('E-84 after shutdown nothing is read', async () => {
    const { bridge, log } = await processing(async () => expect.unreachable())
    await bridge.addEvent('a.b', { x: 1 })
    await bridge.shutdown()
    await bridge.runProcessor()
    expect(bridge.localQueue.size).toBe(1)
    expect(log.at('info').at(-1)).toBe('Event bridge processor stopped')
  })

  test('E-85 with nothing to do it looks every second whether it is to end', async () => {
    const { bridge, log, clock } = await processing(async () => expect.unreachable())
    const running = bridge.runProcessor()
    expect(clock.pending).toBe(1)
    await clock.advance(999)
    expect(clock.pending).toBe(1)
    await clock.advance(1)
    expect(clock.pending).toBe(1)
    await bridge.shutdown()
    await running
    expect(clock.pending).toBe(0)
    expect(log.at('info').at(-1)).toBe('Event bridge processor stopped')
    expect(log.at('error')).toEqual([])
  })

  test('E-86 an event that fails does not keep back the next', async () => {
    const seen: Json[] = []
    const { bridge, log } = await processing(async (self, event) => {
      seen.push((event as { event_type: string }).event_type)
      if (seen.length === 1) throw new Error('boom')
      void self.shutdown()
    })
    await bridge.addEvent('e.1', {})
    await bridge.addEvent('e.2', {})
    await bridge.runProcessor()
    expect(seen).toEqual(['e.1', 'e.2'])
    expect(log.at('error')).toEqual(['Unexpected error in event bridge processor: boom'])
    expect(bridge.localQueue.unfinished).toBe(0)
  })
})

describe('shutdown (event-stream 7.7)', () => {
  const waits = (loops: readonly FakeLoop[]): number[][] => loops.map((loop) => loop.waits)

  test('E-87 the handle is closed once, also when it is asked for twice', async () => {
    const redis = new FakeRedis()
    const { bridge } = await stage([redis])
    await Promise.all([bridge.shutdown(), bridge.shutdown()])
    await bridge[Symbol.asyncDispose]()
    expect([redis.handle.closed, redis.closed]).toEqual([1, 1])
  })

  test('E-88 a handle that cannot be closed keeps nothing else from ending', async () => {
    const redis = new FakeRedis()
    redis.handle.closeFailure = new Error('boom')
    const { bridge, log, loops } = await stage([redis])
    bridge.setManager(new FakeManager())
    await bridge.shutdown()
    expect(log.at('error')).toEqual(['Error closing Redis subscriber: boom'])
    expect(waits(loops.started)).toEqual([[5000], [5000]])
  })

  test('E-89 loops that run are waited for, 5 s each', async () => {
    const { bridge, loops } = await stage([new FakeRedis()])
    bridge.setManager(new FakeManager())
    await bridge.shutdown()
    expect(waits(loops.started)).toEqual([[5000], [5000]])
  })

  test('E-90 loops that have ended, or never ran, are not', async () => {
    const { bridge, loops } = await stage([])
    bridge.setManager(new FakeManager())
    for (const loop of loops.started) loop.ended = true
    await bridge.shutdown()
    expect(waits(loops.started)).toEqual([[], []])
  })

  test('a loop that does not end is left behind after 5 s, and what was not published is counted', async () => {
    const [log, clock] = [new LogLines(), new ManualClock()]
    const stuck = new FakeSubscriber({ poll: [async () => await new Promise<never>(() => {})] })
    const servers = new FakeRedisServers(new FakeRedis({ subscriber: stuck, publish: [new Error('lost')] }))
    const bridge = new EventBridge({ clock, logger: log.logger, redisFactory: servers.factory })
    await bridge.ready
    bridge.setManager(new FakeManager())
    await vi.waitFor(() => expect(bridge.subscribed).toBe(true), settled)
    const stopping = bridge.shutdown()
    await clock.advance(5000)
    await stopping
    expect(log.at('warn')).toEqual([expect.stringContaining('event bridge subscriber')])
  })

  test('the reconnector ends, and says what is left', async () => {
    const log = new LogLines()
    const clock = new ManualClock()
    const servers = new FakeRedisServers()
    const bridge = new EventBridge({ clock, logger: log.logger, redisFactory: servers.factory })
    await bridge.ready
    await bridge.addEvent('a.b', {})
    await bridge.shutdown()
    await bridge.addEvent('a.c', {})
    expect(log.at('warn')).toEqual(['1 events of the bridge were not published'])
    expect(clock.pending).toBe(0)
    expect(servers.settings).toHaveLength(1)
  })
})
