import { SystemClock } from '../../core/clock.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { createLogger } from '../../core/logging.ts'
import { importDatabase, openDatabaseSource } from '../../ha/index.ts'
import { allMigrations } from '../../store/index.ts'
import { isNew, openStore } from '../build-store.ts'
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
  if (options.dryRun && isNew(config)) return allMigrations()
  const built = openStore(config, { clock: new SystemClock(), logger: createLogger(config.log) })
  try {
    const migrations = options.dryRun ? await built.store.pendingMigrations() : await built.store.migrate()
    if (options.importDatabase === undefined) return migrations
    if (options.dryRun && migrations.length > 0) {
      throw new InvalidInputError('A dry run of an import needs a database that exists: run "mainstay migrate" first.')
    }
    const { signal, dryRun } = options
    const counts = await importDatabase(built.store, openDatabaseSource(options.importDatabase), { signal, dryRun })
    return [...migrations, ...Object.entries(counts).map(([table, count]) => `import of ${count} ${table}`)]
  } finally {
    await built.release()
  }
}
