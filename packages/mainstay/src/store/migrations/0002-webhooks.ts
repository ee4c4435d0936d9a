import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

import type { Store } from '../store.ts'

/** Webhooks of the event stream and what their receivers never took (event-stream.md R39). */
export function webhookTables(kind: Store['kind']): Migration {
  // Times, and places in the event log, which reach 2^53 - 1.
  const big = kind === 'postgres' ? sql`bigint` : sql`integer`
  return {
    up: async (db: Kysely<unknown>) => {
      await db.schema
        .createTable('webhooks')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('url', 'text', (c) => c.notNull())
        .addColumn('description', 'text')
        .addColumn('format', 'text', (c) => c.notNull())
        .addColumn('filters', 'text', (c) => c.notNull())
        .addColumn('scope', 'text', (c) => c.notNull())
        .addColumn('secret', 'text', (c) => c.notNull())
        .addColumn('previous_secret', 'text')
        .addColumn('previous_secret_until', big)
        .addColumn('active', 'integer', (c) => c.notNull())
        .addColumn('inactive_reason', 'text')
        .addColumn('created_at', big, (c) => c.notNull())
        .addColumn('updated_at', big, (c) => c.notNull())
        .addColumn('epoch', 'text', (c) => c.notNull())
        .addColumn('position', big, (c) => c.notNull())
        .addColumn('failures', 'integer', (c) => c.notNull())
        .addColumn('next_attempt_at', big)
        .addColumn('failing_since', big)
        .addColumn('last_delivery_at', big)
        .addColumn('last_error', 'text')
        .addColumn('missed', big, (c) => c.notNull())
        .addColumn('lease_owner', 'text')
        .addColumn('lease_until', big, (c) => c.notNull())
        .addColumn('fence', 'integer', (c) => c.notNull())
        .execute()
      await db.schema
        .createTable('webhook_dead_letters')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('webhook_id', 'text', (c) => c.notNull().references('webhooks.id').onDelete('cascade'))
        .addColumn('event_id', 'text', (c) => c.notNull())
        .addColumn('event', 'text', (c) => c.notNull())
        .addColumn('attempts', 'integer', (c) => c.notNull())
        .addColumn('reason', 'text', (c) => c.notNull())
        .addColumn('at', big, (c) => c.notNull())
        .execute()
      await db.schema
        .createIndex('webhook_dead_letters_webhook')
        .on('webhook_dead_letters')
        .columns(['webhook_id', 'id'])
        .execute()
    },
  }
}
