import { describe, expect, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { type Json } from '../../core/json.ts'
import { EventBridge } from './event-bridge.ts'
import { type FakeLoop, FakeLoops } from './testing/fake-loops.ts'
import { FakeRedis, FakeRedisServers, FakeSubscriber } from './testing/fake-redis.ts'
import { LogLines } from './testing/log-lines.ts'
import { bridgeStage, EVENT, FakeManager } from './testing/bridge-stage.ts'

const settled = { timeout: 10_000, interval: 5 }

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
    const { bridge } = await bridgeStage([redis])
    await Promise.all([bridge.shutdown(), bridge.shutdown()])
    await bridge[Symbol.asyncDispose]()
    expect([redis.handle.closed, redis.closed]).toEqual([1, 1])
  })

  test('E-88 a handle that cannot be closed keeps nothing else from ending', async () => {
    const redis = new FakeRedis()
    redis.handle.closeFailure = new Error('boom')
    const { bridge, log, loops } = await bridgeStage([redis])
    bridge.setManager(new FakeManager())
    await bridge.shutdown()
    expect(log.at('error')).toEqual(['Error closing Redis subscriber: boom'])
    expect(waits(loops.started)).toEqual([[5000], [5000]])
  })

  test('E-89 loops that run are waited for, 5 s each', async () => {
    const { bridge, loops } = await bridgeStage([new FakeRedis()])
    bridge.setManager(new FakeManager())
    await bridge.shutdown()
    expect(waits(loops.started)).toEqual([[5000], [5000]])
  })

  test('E-90 loops that have ended, or never ran, are not', async () => {
    const { bridge, loops } = await bridgeStage([])
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
