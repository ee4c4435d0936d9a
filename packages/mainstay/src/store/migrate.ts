import { sql } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'

import { MainstayError, errorMessage } from '../core/errors.ts'
import { StoreSchemaError } from './errors.ts'
import { initialTables } from './migrations/0001-initial.ts'
import { webhookTables } from './migrations/0002-webhooks.ts'
import { eventTicketTable } from './migrations/0003-event-tickets.ts'
import { poolTables } from './migrations/0004-pools.ts'
import { busOutboxTable } from './migrations/0005-bus-outbox.ts'
import { disabledHostsTable } from './migrations/0006-disabled-hosts.ts'
import type { Queries, Store } from './store.ts'

/** A migration that is told for which database it runs, because a few column types have two names. */
export type MigrationFor = (kind: Store['kind']) => Migration

/** All migrations in order. A published one is never changed. */
const MIGRATIONS: Readonly<Record<string, MigrationFor>> = {
  '0001-initial': initialTables,
  '0002-webhooks': webhookTables,
  '0003-event-tickets': eventTicketTable,
  '0004-pools': poolTables,
  '0005-bus-outbox': busOutboxTable,
  '0006-disabled-hosts': disabledHostsTable,
}

/**
 * Runs what has not run yet, all of it or nothing.
 *
 * @throws StoreSchemaError when a migration fails or the database is newer than this program; the errors of the store
 */
export async function migrateToLatest(queries: Queries, kind: Store['kind']): Promise<string[]> {
  const version = await currentVersion(queries)
  if (version !== undefined && !Object.hasOwn(MIGRATIONS, version)) {
    throw new StoreSchemaError(
      `The database is newer than this program: it has the migration ${version}, which is unknown here. ` +
        'Run the newer version, or restore a backup from before the upgrade. Nothing was changed.',
    )
  }
  const migrator = new Migrator({
    db: queries,
    provider: {
      getMigrations: async () =>
        Object.fromEntries(Object.entries(MIGRATIONS).map(([name, migration]) => [name, migration(kind)])),
    },
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error instanceof MainstayError) throw error
  if (error !== undefined) {
    throw new StoreSchemaError(
      `The database could not be brought to the schema of this program: ${errorMessage(error)}. Nothing was changed.`,
      { cause: error },
    )
  }
  return results.filter((result) => result.status === 'Success').map((result) => result.migrationName)
}

export async function currentVersion(queries: Queries): Promise<string | undefined> {
  const tables = await queries.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some((table) => table.name === 'kysely_migration')) return undefined
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name desc limit 1`.execute(
    queries,
  )
  return rows[0]?.name
}

/** Names of the migrations that have not run yet, in order. */
export async function pendingMigrations(queries: Queries): Promise<string[]> {
  const done = await currentVersion(queries)
  return Object.keys(MIGRATIONS).filter((name) => done === undefined || name > done)
}

/** Names of all migrations, in order. */
export function allMigrations(): string[] {
  return Object.keys(MIGRATIONS)
}
