import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

import type { Store } from '../store.ts'

/** Tickets with which browsers open the event stream, on whichever node (event-stream.md R28). */
export function eventTicketTable(kind: Store['kind']): Migration {
  const time = kind === 'postgres' ? sql`bigint` : sql`integer`
  return {
    up: async (db: Kysely<unknown>) => {
      await db.schema
        .createTable('event_tickets')
        .addColumn('digest', 'text', (c) => c.primaryKey())
        .addColumn('principal', 'text', (c) => c.notNull())
        .addColumn('expires_at', time, (c) => c.notNull())
        .execute()
      await db.schema.createIndex('event_tickets_expiry').on('event_tickets').column('expires_at').execute()
    },
  }
}
