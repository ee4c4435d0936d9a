import { join } from 'node:path'

import { DirectoryInUseError, StoreUnavailableError } from './errors.ts'
import { SqliteConnection } from './sqlite/connection.ts'

/**
 * Makes sure that one process alone uses a data directory. The lock is the operating system's, on a file of its own:
 * it ends with the process, however the process ends, and no stale lock is ever left over.
 *
 * @returns what releases it
 * @throws DirectoryInUseError when another process has it
 */
export function lockDirectory(directory: string): Disposable {
  const connection = new SqliteConnection({ path: join(directory, 'process.lock'), busyTimeoutMs: 0 })
  try {
    connection.exec('begin immediate')
  } catch (error) {
    connection.close()
    if (!(error instanceof StoreUnavailableError)) throw error
    throw new DirectoryInUseError(
      `Another mainstay process uses the data directory ${directory}. ` +
        `Stop it, or give this one its own with --data-dir.`,
      { cause: error },
    )
  }
  return { [Symbol.dispose]: () => connection.close() }
}
