import { StoreCorruptError, StoreFullError, StoreUnavailableError, type UniqueValue } from '../errors.ts'
import { uniqueConflict } from '../unique-conflict.ts'

/**
 * Turns SQLite's result codes (sqlite.org/rescode.html) into errors that say what to do. The low byte is the kind; the
 * rest is detail. An unknown code, a programming error, is passed on as it is.
 */
export function explainSqliteError(error: unknown, path: string): unknown {
  const code = resultCode(error)
  if (code === undefined) return error
  const said = error instanceof Error ? error.message : String(error)
  const options = { cause: error }
  switch (code & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return new StoreUnavailableError(
        `The database ${path} is locked by another process (${said}). Stop the other process, or give each its own data directory.`,
        options,
      )
    case 8: // SQLITE_READONLY
      return new StoreFullError(
        `The database ${path} cannot be written (${said}). Check its permissions and its disk.`,
        options,
      )
    case 10: // SQLITE_IOERR
    case 13: // SQLITE_FULL
      return new StoreFullError(
        `The disk of the database ${path} is full or failing (${said}). Nothing was changed. Free some space; work goes on by itself.`,
        options,
      )
    case 14: // SQLITE_CANTOPEN
      return new StoreUnavailableError(
        `The database ${path} cannot be opened (${said}). Check that its directory exists and may be written.`,
        options,
      )
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return new StoreCorruptError(
        `The database ${path} is damaged or is no database (${said}). Keep a copy of it, then restore a backup or start with a new data directory.`,
        options,
      )
    case 19: // SQLITE_CONSTRAINT
      return code === 2067 || code === 1555 ? uniqueConflict(error, takenValue(said)) : error
    default:
      return error
  }
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode : undefined
}

/** Reads `UNIQUE constraint failed: hosts.name, hosts.deleted`; of an index on expressions SQLite tells only its name. */
function takenValue(said: string): UniqueValue | null {
  const places = /^UNIQUE constraint failed: (\w+\.\w+(?:, \w+\.\w+)*)$/.exec(said)?.[1]
  if (places === undefined) return null
  const [table = ''] = places.split('.')
  return { table, columns: places.split(', ').map((place) => place.slice(place.indexOf('.') + 1)) }
}
