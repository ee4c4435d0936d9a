import { toJson } from '../../../core/json.ts'
import type { BridgeManager, EventBridgeOptions } from '../bridge-options.ts'
import { EventBridge } from '../event-bridge.ts'
import { FakeLoops } from './fake-loops.ts'
import { type FakeRedis, FakeRedisServers } from './fake-redis.ts'
import { LogLines } from './log-lines.ts'
import { RecordingClock } from './recording-clock.ts'

/** A bridge between fakes. */
export interface BridgeStage {
  readonly bridge: EventBridge
  readonly log: LogLines
  readonly loops: FakeLoops
  readonly servers: FakeRedisServers
  readonly clock: RecordingClock
}

/** A bridge whose connections are the given ones, in turn, and whose loops a test runs itself. */
export async function bridgeStage(
  servers: readonly FakeRedis[],
  options: EventBridgeOptions = {},
): Promise<BridgeStage> {
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

/** Remembers what it is given. */
export class FakeManager implements BridgeManager {
  readonly events: { eventType: string; payload: unknown }[] = []
  failure: Error | undefined

  async broadcastEventFromNotification(eventType: string, payload: unknown): Promise<void> {
    this.events.push({ eventType, payload })
    if (this.failure !== undefined) throw this.failure
  }
}

export const EVENT = { event_type: 'a.b', payload: { x: 1 } }
/** {@link EVENT} as Redis delivers it. */
export const FRAME = { type: 'message', data: toJson(EVENT) }
