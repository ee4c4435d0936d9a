import { sql } from 'kysely'

import { InvalidInputError } from '../../core/errors.ts'
import { ConflictError } from '../../http/errors.ts'
import type { Queries, Store } from '../../store/index.ts'
import { hostRow, notificationRow, segmentRow, vmoveRow } from './convert.ts'
import { mariadbSource } from './mariadb-source.ts'
import type { DatabaseSource, SourceRow } from './source.ts'
import { sqliteSource } from './sqlite-source.ts'

export type ImportedTable = 'failover_segments' | 'hosts' | 'notifications' | 'vmoves'

/** Parents before their children. */
const TABLES: readonly ImportedTable[] = ['failover_segments', 'hosts', 'notifications', 'vmoves']

const ROWS_PER_INSERT = 500

/**
 * Opens a Masakari database by the address that its masakari.conf has: `sqlite:////path` or `mysql+pymysql://…`; a
 * bare path is a SQLite file.
 *
 * @throws InvalidInputError, StoreUnavailableError, StoreCorruptError
 */
export function openDatabaseSource(address: string): DatabaseSource {
  if (address === '')
    throw new InvalidInputError('The address of the old database is empty: name it, or a SQLite file.')
  if (address.startsWith('sqlite:///')) return sqliteSource(address.slice('sqlite:///'.length))
  if (address.includes('://')) return mariadbSource({ url: address })
  return sqliteSource(address)
}

/**
 * Reads a whole Masakari database into ours, all of it or nothing: segments, hosts, notifications and moves, deleted
 * ones too, with their ids and times. Times are kept in milliseconds: of a time with six digits, which only a Masakari
 * on SQLite has stored, the last three become zeros.
 *
 * @returns how many records of each kind were imported, or would be
 * @throws ConflictError when ours is not empty; InvalidInputError when there is no Masakari database, or a record of it
 * cannot be read or does not fit the others
 */
export async function importDatabase(
  store: Store,
  source: DatabaseSource,
  { signal, dryRun = false }: { signal: AbortSignal; dryRun?: boolean },
): Promise<Record<ImportedTable, number>> {
  const rows = await readAll(source, signal)
  if (dryRun) await requireEmpty(store.read)
  else {
    await store.write(async (queries) => {
      await requireEmpty(queries)
      for (const table of TABLES) await insert(queries, table, rows[table])
      if (store.kind === 'postgres') await moveSequences(queries)
    })
  }
  return {
    failover_segments: rows.failover_segments.length,
    hosts: rows.hosts.length,
    notifications: rows.notifications.length,
    vmoves: rows.vmoves.length,
  }
}

type Converted = Readonly<Record<ImportedTable, readonly object[]>>

async function readAll(source: DatabaseSource, signal: AbortSignal): Promise<Converted> {
  let isThere = false
  const read = async (table: ImportedTable): Promise<readonly SourceRow[]> => {
    const rows = await source.readTable(table, { signal })
    if (rows !== undefined) isThere = true
    return rows ?? []
  }
  const segments = (await read('failover_segments')).map(segmentRow)
  // The old database may compare without regard to case, ours does not.
  const known = new Map(segments.map(({ uuid }) => [uuid.toLowerCase(), uuid]))
  const hosts = (await read('hosts')).map((row) => hostRow(row, (uuid) => known.get(uuid.toLowerCase())))
  const segmentOf = new Map(hosts.map((host) => [host.uuid, host.failover_segment_id]))
  const notifications = (await read('notifications')).map((row) => notificationRow(row, (uuid) => segmentOf.get(uuid)))
  const vmoves = (await read('vmoves')).map(vmoveRow)
  if (!isThere) {
    throw new InvalidInputError(
      `${source.description} has none of the tables of Masakari (${TABLES.join(', ')}). Name its database.`,
    )
  }
  return { failover_segments: segments, hosts, notifications, vmoves }
}

async function requireEmpty(queries: Queries): Promise<void> {
  for (const table of TABLES) {
    const { rows } = await sql`select 1 as present from ${sql.table(table)} limit 1`.execute(queries)
    if (rows.length > 0) {
      throw new ConflictError(
        `There are ${table.replace('_', ' ')} already. A database is imported into an empty one only: give a new data directory.`,
      )
    }
  }
}

async function insert(queries: Queries, table: ImportedTable, rows: readonly object[]): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
    await queries
      .insertInto(table)
      .values(rows.slice(start, start + ROWS_PER_INSERT) as never)
      .execute()
  }
}

/** PostgreSQL hands out ids from a sequence that does not know of ids that were given. */
async function moveSequences(queries: Queries): Promise<void> {
  for (const table of TABLES) {
    await sql`
      select setval(pg_get_serial_sequence(${table}, 'id'), (select coalesce(max(id), 0) + 1 from ${sql.table(table)}), false)
    `.execute(queries)
  }
}
