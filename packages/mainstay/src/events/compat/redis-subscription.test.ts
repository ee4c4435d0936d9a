import { describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { toJson } from '../../core/json.ts'
import type { BridgeManager } from './bridge-options.ts'
import { EventBridge } from './event-bridge.ts'
import { FakeLoops } from './testing/fake-loops.ts'
import { FakeRedis, FakeRedisServers, FakeSubscriber } from './testing/fake-redis.ts'
import { LogLines } from './testing/log-lines.ts'
import { RecordingClock } from './testing/recording-clock.ts'
import { bridgeStage, EVENT, FakeManager, FRAME, type BridgeStage } from './testing/bridge-stage.ts'

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
  ): Promise<BridgeStage & { handles: FakeSubscriber[] }> {
    const handles = scripts.map(
      ({ subscribe = [], poll = [] }) => new FakeSubscriber({ subscribe, poll: [...poll, thenStop(() => all.bridge)] }),
    )
    for (const handle of handles) handle.closeFailure = closeFailure
    const all: BridgeStage = await bridgeStage(handles.map((subscriber) => new FakeRedis({ subscriber })))
    if (manager !== undefined) all.bridge.setManager(manager)
    await all.bridge.runSubscription()
    return { ...all, handles }
  }

  const calls = (handles: readonly FakeSubscriber[]): unknown =>
    handles.map(({ subscribed, closed }) => [subscribed.length, closed])

  test('E-69 without a handle it ends at once', async () => {
    const { bridge, log } = await bridgeStage([])
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
    const all: BridgeStage = await bridgeStage([
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
    const all = await bridgeStage([new FakeRedis({ subscriber: refused }), new FakeRedis()], { clock })
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
    const all: BridgeStage = await bridgeStage([new FakeRedis({ subscriber: handle })])
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
    const { bridge } = await bridgeStage([new FakeRedis({ subscriber: refused })], { clock })
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
    const all: BridgeStage = await bridgeStage(
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
