import { SystemClock } from '../../core/clock.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { createLogger } from '../../core/logging.ts'
import { importDatabase, openDatabaseSource, type DatabaseSource } from '../../ha/index.ts'
import { allMigrations } from '../../store/index.ts'
import { isNew, openStore } from '../build-store.ts'
import type { Config } from '../config/schema.ts'
import { commandConfig, type ConfigurationOptions } from './command-config.ts'

export interface MigrateOptions extends ConfigurationOptions {
  readonly signal: AbortSignal
  readonly dryRun: boolean
  /** A Masakari database whose records are taken over: its address in masakari.conf, or the path of a SQLite file. */
  readonly importDatabase?: string | undefined
}

/** `mainstay migrate`. @returns a line for each migration that ran, or would run, and for each kind of record taken over */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const config = await commandConfig(options)
  // First of all: nothing is made where there is nothing to import from.
  const source = options.importDatabase === undefined ? undefined : openDatabaseSource(options.importDatabase)
  try {
    return await migrateFrom(config, source, options)
  } finally {
    source?.close()
  }
}

async function migrateFrom(
  config: Config,
  source: DatabaseSource | undefined,
  options: MigrateOptions,
): Promise<readonly string[]> {
  if (options.dryRun && isNew(config)) return allMigrations()
  const built = openStore(config, { clock: new SystemClock(), logger: createLogger(config.log) })
  try {
    const migrations = options.dryRun ? await built.store.pendingMigrations() : await built.store.migrate()
    if (source === undefined) return migrations
    if (options.dryRun && migrations.length > 0) {
      throw new InvalidInputError('A dry run of an import needs a database that exists: run "mainstay migrate" first.')
    }
    const { signal, dryRun } = options
    const counts = await importDatabase(built.store, source, { signal, dryRun })
    return [...migrations, ...Object.entries(counts).map(([table, count]) => `import of ${count} ${table}`)]
  } finally {
    await built.release()
  }
}
