import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

import type { Store } from '../store.ts'

/** Messages that wait for a message bus, written in the transaction of the change that they tell of (ha-api.md 18). */
export function busOutboxTable(kind: Store['kind']): Migration {
  const millis = kind === 'postgres' ? sql`bigint` : sql`integer`
  return {
    up: async (db: Kysely<unknown>) => {
      const table = db.schema.createTable('bus_outbox')
      const withSeq =
        kind === 'postgres'
          ? table.addColumn('seq', 'bigint', (c) => c.generatedByDefaultAsIdentity().primaryKey())
          : table.addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
      await withSeq
        .addColumn('priority', 'text', (c) => c.notNull())
        .addColumn('body', 'text', (c) => c.notNull())
        .addColumn('at', millis, (c) => c.notNull())
        .addColumn('taken_until', millis, (c) => c.notNull().defaultTo(0))
        .execute()
    },
  }
}
