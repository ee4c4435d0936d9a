import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { RedisConnection } from '../../store/redis/index.ts'
import type { PoolStore } from '../store.ts'
import { careOf } from './care.ts'
import { ChangeStream } from './change-stream.ts'
import { configurationOf } from './configuration.ts'
import { livesOf } from './lives.ts'
import { looksOf } from './looks.ts'
import { PoolRunner } from './runner.ts'
import { usesOf } from './uses.ts'

export interface RedisPoolOptions {
  /** For commands that answer at once. Closed by whoever opened it. */
  readonly connection: RedisConnection
  readonly clock: Clock
  readonly logger: Logger
  /** Put before every key; on a cluster with a hash tag, so that all keys share a slot. */
  readonly prefix?: string
  /** About how many changes are kept for those who were away. */
  readonly changesKept?: number
}

export const DEFAULT_POOL_PREFIX = 'mainstay:vmpool:'

export const DEFAULT_CHANGES_KEPT = 20_000

/**
 * The pool in Redis or Valkey: every transition is one script of `lua/`, on the keys of the reference and indexes of our own
 * beside them (`n:…`).
 *
 * @throws RedisUnavailableError
 *
 * Source: vm-pool.md A3, C1.
 */
export async function openRedisPool(options: RedisPoolOptions): Promise<PoolStore> {
  const { connection, clock, logger, prefix = DEFAULT_POOL_PREFIX, changesKept = DEFAULT_CHANGES_KEPT } = options
  const runner = new PoolRunner({ connection, prefix, changesKept })
  await runner.configuration()
  const stream = new ChangeStream({ connection, key: `${prefix}n:changes`, clock, logger })
  return {
    kind: 'redis',
    ...configurationOf(runner),
    ...livesOf(runner),
    ...usesOf(runner),
    ...looksOf(runner),
    ...careOf(runner),
    changes: ({ signal }) => stream.watch(signal),
    [Symbol.asyncDispose]: async () => await stream.close(),
  }
}
