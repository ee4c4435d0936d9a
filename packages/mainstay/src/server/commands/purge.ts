import { SystemClock } from '../../core/clock.ts'
import { createLogger } from '../../core/logging.ts'
import { purge as purgeRows } from '../../ha/index.ts'
import { StoreSchemaError } from '../../store/index.ts'
import { isNew, openStore } from '../build-store.ts'
import { commandConfig, type ConfigurationOptions } from './command-config.ts'

export interface PurgeOptions extends ConfigurationOptions {
  readonly signal: AbortSignal
  readonly dryRun: boolean
  readonly ageInDays: number
  /** -1 for no bound. */
  readonly maxRows: number
}

/** `mainstay purge`. @returns how many rows went, or would go, by table in the order of their removal */
export async function purge(options: PurgeOptions): Promise<Readonly<Record<string, number>>> {
  const { ageInDays, maxRows, dryRun } = options
  const config = await commandConfig(options)
  const clock = new SystemClock()
  // Nothing is made where nothing can be purged.
  if (isNew(config)) throw notMigrated()
  const built = openStore(config, { clock, logger: createLogger(config.log) })
  try {
    if ((await built.store.pendingMigrations()).length > 0) throw notMigrated()
    return await purgeRows(built.store, { ageInDays, maxRows, dryRun, nowMs: clock.now() })
  } finally {
    await built.release()
  }
}

function notMigrated(): StoreSchemaError {
  return new StoreSchemaError('The database is not there yet or is too old: run "mainstay migrate" first.')
}
