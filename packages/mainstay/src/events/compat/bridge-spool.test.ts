import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { parseJson, type JsonObject } from '../../core/json.ts'
import { EventSpool } from '../spool/spool.ts'
import { EventBridge } from './event-bridge.ts'
import { FakeLoops } from './testing/fake-loops.ts'
import { FakeRedis, FakeRedisServers } from './testing/fake-redis.ts'
import { LogLines } from './testing/log-lines.ts'
import { RecordingClock } from './testing/recording-clock.ts'

let directory: string
let log: LogLines

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridge-spool-'))
  log = new LogLines()
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** A bridge whose events wait on disk, as those of an earlier run do. */
async function run(
  servers: readonly FakeRedis[],
  work: (bridge: EventBridge, loops: FakeLoops) => Promise<void>,
  maxBytes = 1_000_000,
): Promise<void> {
  const spool = await EventSpool.open<JsonObject>({ directory, logger: log.logger, maxBytes })
  const loops = new FakeLoops()
  await using bridge = new EventBridge({
    clock: new RecordingClock(),
    logger: log.logger,
    startLoop: loops.start,
    redisFactory: new FakeRedisServers(...servers).factory,
    spool,
  })
  await bridge.ready
  await work(bridge, loops)
  await spool.close()
}

const sent = (...servers: FakeRedis[]): unknown[] =>
  servers.flatMap(({ published }) =>
    published.map(({ text }) => (parseJson(text, 'an event') as JsonObject)['event_type']),
  )

const lost = (): Error => new Error('lost')

describe('events wait for Redis on disk (event-stream 7.3)', () => {
  test('they survive a restart, and are published first and in order', async () => {
    await run([new FakeRedis({ publish: [lost()] })], async (bridge, loops) => {
      for (const type of ['e.1', 'e.2', 'e.3']) await bridge.addEvent(type, { x: 1 })
      expect(bridge.localQueue.size).toBe(0)
      expect(loops.names()).toEqual(['event bridge reconnector'])
    })
    const redis = new FakeRedis()
    await run([redis], async (bridge, loops) => {
      expect(loops.names()).toEqual(['event bridge reconnector'])
      await bridge.addEvent('e.4', {})
      expect(redis.published).toEqual([])
      await bridge.runReconnector()
      await bridge.addEvent('e.5', {})
      expect(sent(redis)).toEqual(['e.1', 'e.2', 'e.3', 'e.4', 'e.5'])
      expect(redis.published[0]!.text).toBe('{"event_type":"e.1","payload":{"x":1}}')
    })
  })

  test('a Redis that goes again in the middle gets the rest later, none less', async () => {
    const [flapping, fresh] = [new FakeRedis({ publish: [1, lost()] }), new FakeRedis()]
    await run([new FakeRedis({ publish: [lost()] }), flapping, fresh], async (bridge) => {
      await bridge.addEvent('e.0', {})
      for (const type of ['e.1', 'e.2', 'e.3']) await bridge.addEvent(type, {})
      await bridge.runReconnector()
      expect(sent(fresh).slice(-3)).toEqual(['e.1', 'e.2', 'e.3'])
    })
  })

  test('a spool that is full drops what comes', async () => {
    const waiting = async (bridge: EventBridge): Promise<void> => {
      for (const type of ['e.1', 'e.2']) await bridge.addEvent(type, {})
    }
    await run([], waiting, 60)
    expect(log.at('warn')).toContain('Event bridge queue is full, dropping event')
  })

  test('with a manager events stay in this process', async () => {
    await run([], async (bridge) => {
      bridge.setManager({ broadcastEventFromNotification: async () => {} })
      await bridge.addEvent('e.1', {})
      expect(bridge.localQueue.size).toBe(1)
    })
  })

  test('a spool that cannot be read is tried again', async () => {
    let reads = 0
    const broken = {
      isEmpty: false,
      append: async () => {},
      peek: async () => {
        reads += 1
        if (reads === 1) throw new Error('the disk is gone')
        broken.isEmpty = true
        return { events: [], bytes: 0 }
      },
      drop: async () => {},
    }
    const redisFactory = new FakeRedisServers(new FakeRedis()).factory
    const startLoop = new FakeLoops().start
    const clock = new RecordingClock()
    await using bridge = new EventBridge({ clock, logger: log.logger, startLoop, redisFactory, spool: broken })
    await bridge.ready
    await bridge.runReconnector()
    expect(reads).toBe(2)
    expect(log.at('error')).toEqual(['What waits for Redis cannot be read: the disk is gone'])
  })
})
