import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

import type { Store } from '../store.ts'

/**
 * Pools of machines (vm-pool.md part C). A machine is one row: its record as JSON, and beside it what the indexes need. The
 * indexes hold only the rows that stand in them, so that looking costs what is found and not what there is.
 */
export function poolTables(kind: Store['kind']): Migration {
  const millis = kind === 'postgres' ? sql`bigint` : sql`integer`

  async function createMachines(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('pool_vms')
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('grp', 'text', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('state_since', millis, (c) => c.notNull())
      .addColumn('free_at', millis)
      .addColumn('idle_at', millis)
      .addColumn('evict_at', millis)
      .addColumn('deadline', millis)
      .addColumn('preempt_priority', 'integer')
      .addColumn('bound_user', 'text')
      .addColumn('bound_sandbox', 'text')
      .addColumn('leaving', 'integer', (c) => c.notNull())
      .addColumn('held', 'integer', (c) => c.notNull())
      .addColumn('held_arch', 'text')
      .addColumn('hold_owner', 'text')
      .addColumn('ip', 'text')
      .addColumn('task_id', 'text')
      .addColumn('request_id', 'text')
      .addColumn('descriptor', 'text', (c) => c.notNull())
      .execute()
    const partial: Readonly<Record<string, readonly [columns: readonly string[], only: string]>> = {
      free: [['grp', 'free_at', 'name'], 'free_at is not null'],
      bound: [['grp', 'bound_user', 'bound_sandbox', 'idle_at', 'name'], 'bound_user is not null'],
      evict: [['grp', 'bound_user', 'evict_at', 'name'], 'evict_at is not null'],
      preempt: [['grp', 'preempt_priority', 'name'], 'preempt_priority is not null'],
      due: [['deadline', 'name'], 'deadline is not null'],
      held: [['bound_user', 'bound_sandbox'], 'held = 1'],
      arch: [['held_arch'], 'held_arch is not null'],
      hold: [['hold_owner'], 'hold_owner is not null'],
      ip: [['ip', 'name'], 'ip is not null'],
      task: [['task_id', 'name'], 'task_id is not null'],
      request: [['request_id', 'name'], 'request_id is not null'],
    }
    await db.schema.createIndex('pool_vms_state').on('pool_vms').columns(['grp', 'state', 'name']).execute()
    for (const [name, [columns, only]] of Object.entries(partial)) {
      await db.schema
        .createIndex(`pool_vms_${name}`)
        .on('pool_vms')
        .columns([...columns])
        .where(sql.raw<boolean>(only))
        .execute()
    }
  }

  async function createQueue(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('pool_requests')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('waiting', 'integer', (c) => c.notNull())
      .addColumn('owner', 'text', (c) => c.notNull())
      .addColumn('priority', 'integer', (c) => c.notNull())
      .addColumn('weight', 'real', (c) => c.notNull())
      .addColumn('submitted_at', millis, (c) => c.notNull())
      .addColumn('over_at', millis, (c) => c.notNull())
      .addColumn('request', 'text', (c) => c.notNull())
      .execute()
    await createIndex(db, 'pool_requests_waiting', 'pool_requests', ['waiting', 'submitted_at', 'id'])
    await createIndex(db, 'pool_requests_over', 'pool_requests', ['waiting', 'over_at', 'id'])
    await createIndex(db, 'pool_requests_owner', 'pool_requests', ['owner', 'waiting'])
    await db.schema
      .createTable('pool_queue')
      .addColumn('grp', 'text', (c) => c.notNull())
      .addColumn('owner', 'text', (c) => c.notNull())
      .addColumn('sandbox', 'text', (c) => c.notNull())
      .addColumn('score', millis, (c) => c.notNull())
      .addColumn('id', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('pool_queue_place', ['grp', 'owner', 'score', 'id'])
      .execute()
    await createIndex(db, 'pool_queue_sandbox', 'pool_queue', ['grp', 'owner', 'sandbox', 'score', 'id'])
    await createIndex(db, 'pool_queue_request', 'pool_queue', ['id'])
    await db.schema
      .createTable('pool_served')
      .addColumn('owner', 'text', (c) => c.primaryKey())
      .addColumn('at', millis, (c) => c.notNull())
      .execute()
  }

  async function createSettings(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('pool_settings')
      .addColumn('id', 'integer', (c) => c.primaryKey())
      .addColumn('version', 'text', (c) => c.notNull())
      .addColumn('configuration', 'text', (c) => c.notNull())
      .addColumn('server_started_at', millis, (c) => c.notNull())
      .addColumn('leader', 'text', (c) => c.notNull())
      .addColumn('fence', millis, (c) => c.notNull())
      .addColumn('leader_until', millis, (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('pool_info')
      .addColumn('grp', 'text', (c) => c.notNull())
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('value', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('pool_info_field', ['grp', 'key'])
      .execute()
    await db.schema
      .createTable('pool_failure_holds')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('rule', 'text', (c) => c.notNull())
      .execute()
  }

  return {
    up: async (db: Kysely<unknown>) => {
      await createMachines(db)
      await createQueue(db)
      await createSettings(db)
    },
  }
}

async function createIndex(db: Kysely<unknown>, name: string, table: string, columns: string[]): Promise<void> {
  await db.schema.createIndex(name).on(table).columns(columns).execute()
}
