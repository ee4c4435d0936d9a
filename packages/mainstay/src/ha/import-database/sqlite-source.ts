import type { Json } from '../../core/json.ts'
import { SqliteConnection } from '../../store/sqlite/connection.ts'
import type { DatabaseSource } from './source.ts'

/** A Masakari database in a SQLite file. @throws StoreUnavailableError, StoreCorruptError */
export function sqliteSource(path: string): DatabaseSource {
  const connection = new SqliteConnection({ path, readOnly: true })
  const tables = new Set(
    connection.query(`select name from sqlite_master where type = 'table'`, []).rows.map((row) => row['name']),
  )
  return {
    description: path,
    readTable: async (table) => {
      if (!tables.has(table)) return []
      return connection.query(`select * from "${table}" order by id`, []).rows as Record<string, Json>[]
    },
    close: () => connection.close(),
  }
}
