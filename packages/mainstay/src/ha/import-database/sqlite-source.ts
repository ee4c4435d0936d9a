import { statSync } from 'node:fs'

import { InvalidInputError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import { SqliteConnection } from '../../store/sqlite/connection.ts'
import type { DatabaseSource } from './source.ts'

/** A Masakari database in a SQLite file. @throws InvalidInputError, StoreUnavailableError, StoreCorruptError */
export function sqliteSource(path: string): DatabaseSource {
  // Of a directory the database would say something about a full disk.
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new InvalidInputError(`There is no file ${path}. Name the SQLite file of the old database.`)
  }
  const connection = new SqliteConnection({ path, readOnly: true })
  const tables = new Set(
    connection.query(`select name from sqlite_master where type = 'table'`, []).rows.map((row) => row['name']),
  )
  return {
    description: path,
    readTable: async (table) => {
      if (!tables.has(table)) return undefined
      return connection.query(`select * from "${table}" order by id`, []).rows as Record<string, Json>[]
    },
    close: () => connection.close(),
  }
}
