import { sql, type CreateTableBuilder, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

import type { Store } from '../store.ts'

/** The first tables: HA resources (ha-api.md 23), the journal, the guests last seen, the events on their way out. */
export function initialTables(kind: Store['kind']): Migration {
  const millis = kind === 'postgres' ? sql`bigint` : sql`integer`

  /** A table whose rows are soft-deleted, with a growing integer id. */
  function softDeleted(db: Kysely<unknown>, name: string): CreateTableBuilder<string, string> {
    const table: CreateTableBuilder<string, string> = db.schema.createTable(name)
    const withId =
      kind === 'postgres'
        ? table.addColumn('id', 'integer', (c) => c.generatedByDefaultAsIdentity().primaryKey())
        : table.addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    return withId
      .addColumn('created_at', millis, (c) => c.notNull())
      .addColumn('updated_at', millis)
      .addColumn('deleted_at', millis)
      .addColumn('deleted', 'integer', (c) => c.notNull().defaultTo(0))
  }

  async function createHaTables(db: Kysely<unknown>): Promise<void> {
    await softDeleted(db, 'failover_segments')
      .addColumn('uuid', 'text', (c) => c.notNull().unique())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('service_type', 'text', (c) => c.notNull())
      .addColumn('enabled', 'integer', (c) => c.notNull().defaultTo(1))
      .addColumn('description', 'text')
      .addColumn('recovery_method', 'text', (c) => c.notNull())
      .addUniqueConstraint('failover_segments_name', ['name', 'deleted'])
      .execute()
    await softDeleted(db, 'hosts')
      .addColumn('uuid', 'text', (c) => c.notNull().unique())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('reserved', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('type', 'text', (c) => c.notNull())
      .addColumn('control_attributes', 'text', (c) => c.notNull())
      .addColumn('on_maintenance', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('failover_segment_id', 'text', (c) => c.notNull().references('failover_segments.uuid'))
      .addUniqueConstraint('hosts_name', ['name', 'deleted'])
      .execute()
    await softDeleted(db, 'notifications')
      .addColumn('notification_uuid', 'text', (c) => c.notNull().unique())
      .addColumn('generated_time', millis, (c) => c.notNull())
      .addColumn('source_host_uuid', 'text', (c) => c.notNull())
      .addColumn('type', 'text', (c) => c.notNull())
      .addColumn('payload', 'text', (c) => c.notNull())
      .addColumn('status', 'text', (c) => c.notNull())
      .addColumn('failover_segment_uuid', 'text')
      .addColumn('message', 'text')
      .addColumn('idempotency_key', 'text', (c) => c.unique())
      .execute()
    await softDeleted(db, 'vmoves')
      .addColumn('uuid', 'text', (c) => c.notNull().unique())
      .addColumn('notification_uuid', 'text', (c) => c.notNull())
      .addColumn('instance_uuid', 'text', (c) => c.notNull())
      .addColumn('instance_name', 'text', (c) => c.notNull())
      .addColumn('source_host', 'text')
      .addColumn('dest_host', 'text')
      .addColumn('start_time', millis)
      .addColumn('end_time', millis)
      .addColumn('type', 'text')
      .addColumn('status', 'text')
      .addColumn('message', 'text')
      .execute()
    await createIndex(db, 'hosts_segment', 'hosts', ['failover_segment_id', 'deleted'])
    await createIndex(db, 'notifications_status', 'notifications', ['status'])
    await createIndex(db, 'notifications_source', 'notifications', ['source_host_uuid', 'type', 'generated_time'])
    await createIndex(db, 'notifications_created', 'notifications', ['created_at', 'id'])
    await createIndex(db, 'vmoves_notification', 'vmoves', ['notification_uuid'])
  }

  async function createJournalTables(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('workflows')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('version', 'integer', (c) => c.notNull())
      .addColumn('subject', 'text', (c) => c.notNull())
      .addColumn('input', 'text', (c) => c.notNull())
      .addColumn('status', 'text', (c) => c.notNull())
      .addColumn('owner', 'text')
      .addColumn('fence', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('wake_at', millis)
      .addColumn('cancel_reason', 'text')
      .addColumn('reason', 'text')
      .addColumn('result', 'text')
      .addColumn('context', 'text')
      .addColumn('created_at', millis, (c) => c.notNull())
      .addColumn('updated_at', millis, (c) => c.notNull())
      .addColumn('finished_at', millis)
      .execute()
    await db.schema
      .createTable('workflow_history')
      .addColumn('workflow_id', 'text', (c) => c.notNull())
      .addColumn('seq', 'integer', (c) => c.notNull())
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('data', 'text', (c) => c.notNull())
      .addColumn('fence', 'integer', (c) => c.notNull())
      .addColumn('at', millis, (c) => c.notNull())
      .addPrimaryKeyConstraint('workflow_history_place', ['workflow_id', 'seq'])
      .execute()
    await db.schema
      .createTable('workflow_signals')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('workflow_id', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('data', 'text', (c) => c.notNull())
      .addColumn('at', millis, (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('workflow_locks')
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('workflow_id', 'text', (c) => c.notNull())
      .addColumn('at', millis, (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('engines')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('lease_until', millis, (c) => c.notNull())
      .addColumn('started_at', millis, (c) => c.notNull())
      .execute()
    await createIndex(db, 'workflows_due', 'workflows', ['status', 'wake_at'])
    await createIndex(db, 'workflows_subject', 'workflows', ['subject', 'status'])
    await createIndex(db, 'workflow_signals_workflow', 'workflow_signals', ['workflow_id', 'at'])
    await createIndex(db, 'workflow_locks_workflow', 'workflow_locks', ['workflow_id'])
  }

  async function createFleetTables(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('instance_inventory')
      .addColumn('instance_uuid', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('host', 'text', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('definition', 'text', (c) => c.notNull())
      .addColumn('seen_at', millis, (c) => c.notNull())
      .execute()
    await createIndex(db, 'instance_inventory_host', 'instance_inventory', ['host'])
    const outbox: CreateTableBuilder<string, string> = db.schema.createTable('event_outbox')
    await (
      kind === 'postgres'
        ? outbox.addColumn('seq', 'bigint', (c) => c.generatedByDefaultAsIdentity().primaryKey())
        : outbox.addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    )
      .addColumn('event_id', 'text', (c) => c.notNull())
      .addColumn('event', 'text', (c) => c.notNull())
      .addColumn('at', millis, (c) => c.notNull())
      .execute()
  }

  return {
    up: async (db: Kysely<unknown>) => {
      await createHaTables(db)
      await createJournalTables(db)
      await createFleetTables(db)
    },
  }
}

async function createIndex(
  db: Kysely<unknown>,
  name: string,
  table: string,
  columns: readonly string[],
): Promise<void> {
  await db.schema
    .createIndex(name)
    .on(table)
    .columns([...columns])
    .execute()
}
