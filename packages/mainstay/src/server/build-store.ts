import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

import type { Clock } from '../core/clock.ts'
import { InvalidInputError, errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import { makeDirectory } from '../core/make-directory.ts'
import { PostgresStore, SqliteStore, lockDirectory, type Store } from '../store/index.ts'
import type { Config } from './config/schema.ts'
import { refuseEmptyDatabase } from './refuse-empty-database.ts'

export interface BuiltStore {
  readonly store: Store
  /** Whether no other process can use it. */
  readonly exclusive: boolean
  /** What the banner says of it. */
  readonly description: string
  readonly release: () => Promise<void>
}

/** The data directory, made if it is missing. @throws InvalidInputError */
export function dataDirectory({ server }: Config): string {
  const directory = resolve(server.data_dir)
  try {
    makeDirectory(directory)
  } catch (error) {
    throw new InvalidInputError(
      `The data directory ${directory} cannot be made (${errorMessage(error)}). Choose another with --data-dir.`,
      { cause: error },
    )
  }
  return directory
}

const DATABASE_NAME = 'mainstay.db'

/** Whether the embedded database has yet to be made. */
export function isNew({ store, server }: Config): boolean {
  return store.url === '' && !existsSync(join(resolve(server.data_dir), DATABASE_NAME))
}

/**
 * Opens the store that the configuration names; a SQLite file is locked for this process alone.
 *
 * @throws InvalidInputError, StoreUnavailableError, StoreCorruptError
 */
export function openStore(config: Config, { clock, logger }: { clock: Clock; logger: Logger }): BuiltStore {
  const { url, connections, busy_timeout_ms: busyTimeoutMs, work_timeout_ms: workTimeoutMs } = config.store
  const { migration_timeout_ms: migrationTimeoutMs } = config.store
  if (url.startsWith('postgres://') || url.startsWith('postgresql://')) {
    const store = PostgresStore.open({
      url,
      clock,
      logger,
      maxConnections: connections,
      connectTimeoutMs: config.store.connect_timeout_ms,
      statementTimeoutMs: config.store.statement_timeout_ms,
      workTimeoutMs,
      migrationTimeoutMs,
    })
    return { store, exclusive: false, description: 'PostgreSQL', release: async () => await store.close() }
  }
  if (url !== '')
    throw new InvalidInputError('store.url must begin with postgres:// or be empty for the embedded SQLite.')
  const directory = dataDirectory(config)
  const lock = lockDirectory(directory)
  try {
    const path = join(directory, DATABASE_NAME)
    refuseEmptyDatabase(path)
    const store = SqliteStore.open({ path, busyTimeoutMs, workTimeoutMs, migrationTimeoutMs })
    const release = async (): Promise<void> => {
      await store.close()
      lock[Symbol.dispose]()
    }
    return { store, exclusive: true, description: `SQLite in ${directory}`, release }
  } catch (error) {
    lock[Symbol.dispose]()
    throw error
  }
}
