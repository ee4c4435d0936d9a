import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

import type { Store } from '../store.ts'

/** Hosts that take no new guests, for platforms that have no such notion themselves. */
export function disabledHostsTable(kind: Store['kind']): Migration {
  const millis = kind === 'postgres' ? sql`bigint` : sql`integer`
  return {
    up: async (db: Kysely<unknown>) => {
      await db.schema
        .createTable('disabled_hosts')
        .addColumn('host', 'text', (c) => c.primaryKey())
        .addColumn('reason', 'text', (c) => c.notNull())
        .addColumn('at', millis, (c) => c.notNull())
        .execute()
    },
  }
}
