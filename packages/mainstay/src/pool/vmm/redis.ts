import type { RedisScript } from '../../store/redis/index.ts'

/** Something that a subscription brought. The first one tells of the subscription itself. */
export interface BusItem {
  readonly type: 'subscribe' | 'message'
  readonly data: string
}

/**
 * The handful of commands that the compatible pool asks of Redis. Commands that are sent in the same turn travel together.
 * Each has the limit of its driver and throws the driver's error when the server is not there.
 */
export interface VmmRedis {
  /** Empty when the key does not exist. */
  hGetAll(key: string): Promise<Readonly<Record<string, string>>>
  hGet(key: string, field: string): Promise<string | null>
  hSet(key: string, fields: Readonly<Record<string, string>>): Promise<void>
  sMembers(key: string): Promise<readonly string[]>
  publish(channel: string, message: string): Promise<void>
  /** Makes a script known to the server. Not needed before `run`, which does it where it must. */
  load(script: RedisScript): Promise<void>
  /** Runs a script whose answer is a text or nothing. */
  run(script: RedisScript, keys: readonly string[], args: readonly string[]): Promise<string | null>
  /**
   * What arrives on a channel, until the signal is aborted. Settles once the server has confirmed, so that nothing which is
   * published afterwards is missed while the connection holds.
   */
  subscribe(channel: string, options: { signal: AbortSignal }): Promise<AsyncIterable<BusItem>>
}
