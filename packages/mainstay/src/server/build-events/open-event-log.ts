import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'

import type { EventLog } from '../../events/log.ts'
import { MemoryEventLog } from '../../events/memory/log.ts'
import { RedisEventLog } from '../../events/redis/log.ts'
import { SeenFile } from '../../events/redis/seen-file.ts'
import { SqliteEventLog, type SqliteEventLogOptions } from '../../events/sqlite/log.ts'
import { StoreCorruptError } from '../../store/index.ts'
import { dataDirectory } from '../build-store.ts'
import type { Config } from '../config/schema.ts'
import { openEventRedis } from './event-redis.ts'
import { EVENT_DATABASE_NAME, SEEN_NAME } from './file-names.ts'
import type { EventsDependencies } from './events-dependencies.ts'

/** Which store the log is in, for the banner. */
export interface OpenedEventLog {
  readonly log: EventLog
  readonly description: string
}

/**
 * Opens the event log that the configuration names. Redis need not be there yet: until it is, events are spooled.
 *
 * @throws InvalidInputError, StoreUnavailableError, StoreFullError, StoreSchemaError
 */
export async function openEventLog(config: Config, deps: EventsDependencies): Promise<OpenedEventLog> {
  const { events } = config
  const { clock, ids, logger } = deps
  const retention = {
    maxAgeMs: events.retention_age_ms,
    maxEvents: events.retention_events,
    maxBytes: events.retention_bytes,
  }
  const repeats = { ms: events.repeat_window_ms, events: events.repeat_window_events }
  if (events.store === 'memory') {
    return { log: new MemoryEventLog({ clock, retention, repeats }), description: 'in memory' }
  }
  if (events.store === 'redis') {
    const redis = openEventRedis(config, { clock, logger })
    const prefix = events.redis_prefix
    const seenFile = new SeenFile(join(dataDirectory(config), SEEN_NAME), { clock, logger })
    const log = new RedisEventLog({ redis, prefix, clock, ids, logger, retention, repeats, seenFile })
    return { log, description: `Redis at ${redis.address}` }
  }
  const path = join(dataDirectory(config), EVENT_DATABASE_NAME)
  const { fsync, fsync_interval_ms: fsyncIntervalMs, commit_max_events: maxCommitEvents } = events
  const log = await openOrSetAside({
    path,
    clock,
    ids,
    logger,
    retention,
    repeats,
    fsync,
    fsyncIntervalMs,
    maxCommitEvents,
  })
  return { log, description: path }
}

/**
 * A damaged log must not keep the program from its work, which is to recover machines: the file is set aside for whoever
 * wants to look, and the stream begins anew, which its clients are told of by the new epoch.
 */
async function openOrSetAside(options: SqliteEventLogOptions): Promise<SqliteEventLog> {
  try {
    return await SqliteEventLog.open(options)
  } catch (error) {
    if (!(error instanceof StoreCorruptError)) throw error
    const aside = `${options.path}.damaged-${options.clock.now()}`
    options.logger.error(
      { err: error },
      `The event log is damaged and was set aside as ${aside}. The stream begins anew.`,
    )
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(options.path + suffix)) renameSync(options.path + suffix, aside + suffix)
    }
    return await SqliteEventLog.open(options)
  }
}
