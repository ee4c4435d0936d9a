import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SqliteEventLog } from '../../packages/mainstay/src/events/sqlite/log.ts'
import { workflowHistory } from '../../packages/mainstay/src/journal/index.ts'
import { PostgresStore, SqliteStore, readOutbox, type Store } from '../../packages/mainstay/src/store/index.ts'

/** Entries of a history that nobody is told of: they only serve its replay. */
const QUIET = new Set(['time', 'claimed'])

/**
 * Compares what the stream tells of a recovery with its history: every entry is in the log or still in the outbox, and
 * none is in the log twice or out of its order.
 *
 * @returns what is wrong, empty when nothing is
 */
export async function auditStream(dataDir: string, set: readonly string[], workflowId: string): Promise<string[]> {
  const clock = new SystemClock()
  const logger = silentLogger()
  const log = await SqliteEventLog.open({ path: join(dataDir, 'events.db'), clock, ids: new SystemIds(), logger })
  const events = await log.read({ after: 0, limit: 100_000 })
  await log.close()
  const url = set.find((option) => option.startsWith('store.url='))?.slice('store.url='.length)
  const store: Store = url === undefined ? openSqlite(dataDir) : PostgresStore.open({ url, clock, logger })
  try {
    const entries = (await workflowHistory(store.read, workflowId)).filter(({ kind }) => !QUIET.has(kind))
    const wanted = entries.map(({ seq }) => `${workflowId}/${seq}`)
    const told = events.map((event) => event.source_event_id).filter((id) => id.startsWith(`${workflowId}/`))
    const waiting = new Set((await readOutbox(store.read, 100_000)).map(({ event }) => event.id))
    const places = events.map(({ seq }) => seq)
    return [
      ...wanted.filter((id) => !told.includes(id) && !waiting.has(id)).map((id) => `${id} is not told`),
      ...told.filter((id) => !wanted.includes(id)).map((id) => `${id} never happened`),
      ...told.filter((id, index) => told.indexOf(id) !== index).map((id) => `${id} is told twice`),
      ...places.filter((seq, index) => seq !== index + 1).map((seq) => `there is a gap before place ${seq}`),
    ]
  } finally {
    await store.close()
  }
}

function openSqlite(dataDir: string): Store {
  const path = join(dataDir, 'mainstay.db')
  if (!existsSync(path)) throw new Error(`There is no database ${path}.`)
  return SqliteStore.open({ path })
}
