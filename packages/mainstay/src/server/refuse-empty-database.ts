import { statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { FLEET_LOG_NAME } from '../compute/simulated/index.ts'
import { StoreCorruptError } from '../store/index.ts'
import { EVENT_DATABASE_NAME, SEEN_NAME } from './build-events/file-names.ts'

/**
 * Refuses a database file of 0 bytes beside data of ours: SQLite would take it for a new one, and throw the log of
 * changes beside it away.
 *
 * A process that is killed at its very first start can leave such a file too. Then nothing of ours stands beside it yet:
 * the database is opened before everything else, and has its first page on disk before its first change.
 *
 * @throws StoreCorruptError
 */
export function refuseEmptyDatabase(path: string): void {
  if (sizeOf(path) !== 0) return
  const names = [`${basename(path)}-wal`, EVENT_DATABASE_NAME, FLEET_LOG_NAME, SEEN_NAME]
  const older = names.filter((name) => (sizeOf(join(dirname(path), name)) ?? 0) > 0)
  if (older.length === 0) return
  throw new StoreCorruptError(
    `The database ${path} is empty (0 bytes), but data of an earlier run stands beside it (${older.join(', ')}): what it ` +
      'held is lost, segments, hosts, notifications and recoveries. Restore it from a backup; to begin without them, ' +
      `remove ${older.join(' and ')} too, or choose another directory with --data-dir.`,
  )
}

/** In bytes; undefined where there is no such file. */
function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}
