import type { Generated } from 'kysely'

/**
 * The tables, once for both databases. Times are integer milliseconds since the Unix epoch, flags are 0 or 1, JSON is
 * text. `deleted` is 0 for a live row and the row's own id once it is soft-deleted, so that unique names are free
 * again (ha-api.md 23).
 */
export interface Schema {
  failover_segments: FailoverSegmentTable
  hosts: HostTable
  notifications: NotificationTable
  vmoves: VmoveTable
  workflows: WorkflowTable
  workflow_history: WorkflowHistoryTable
  workflow_signals: WorkflowSignalTable
  workflow_locks: WorkflowLockTable
  engines: EngineTable
  instance_inventory: InstanceInventoryTable
  event_outbox: EventOutboxTable
  bus_outbox: BusOutboxTable
  webhooks: WebhookTable
  webhook_dead_letters: WebhookDeadLetterTable
  event_tickets: EventTicketTable
  disabled_hosts: DisabledHostTable
}

interface SoftDeletedRow {
  id: Generated<number>
  created_at: number
  updated_at: number | null
  deleted_at: number | null
  deleted: Generated<number>
}

export interface FailoverSegmentTable extends SoftDeletedRow {
  uuid: string
  name: string
  service_type: string
  enabled: number
  description: string | null
  recovery_method: string
}

export interface HostTable extends SoftDeletedRow {
  uuid: string
  name: string
  reserved: number
  type: string
  control_attributes: string
  on_maintenance: number
  failover_segment_id: string
}

export interface NotificationTable extends SoftDeletedRow {
  notification_uuid: string
  generated_time: number
  source_host_uuid: string
  type: string
  payload: string
  status: string
  failover_segment_uuid: string | null
  message: string | null
  /** The sender's own id of the report, so that a repeat is answered and not stored again (monitors.md 2.4). */
  idempotency_key: string | null
}

export interface VmoveTable extends SoftDeletedRow {
  uuid: string
  notification_uuid: string
  instance_uuid: string
  instance_name: string
  source_host: string | null
  dest_host: string | null
  start_time: number | null
  end_time: number | null
  type: string | null
  status: string | null
  message: string | null
}

export interface WorkflowTable {
  id: string
  name: string
  version: number
  subject: string
  input: string
  status: string
  owner: string | null
  fence: number
  wake_at: number | null
  cancel_reason: string | null
  reason: string | null
  result: string | null
  context: string | null
  created_at: number
  updated_at: number
  finished_at: number | null
}

export interface WorkflowHistoryTable {
  workflow_id: string
  seq: number
  kind: string
  key: string
  data: string
  fence: number
  at: number
}

export interface WorkflowSignalTable {
  id: string
  workflow_id: string
  name: string
  data: string
  at: number
}

export interface WorkflowLockTable {
  name: string
  workflow_id: string
  at: number
}

export interface EngineTable {
  id: string
  lease_until: number
  started_at: number
}

/** What was last seen of a guest, kept because a dead host cannot be asked. */
export interface InstanceInventoryTable {
  instance_uuid: string
  name: string
  host: string
  state: string
  definition: string
  seen_at: number
}

/** Events that wait for the relay, written in the transaction of the change they tell of. */
export interface EventOutboxTable {
  seq: Generated<number>
  event_id: string
  event: string
  at: number
}

/** Messages that wait for the message bus, written in the transaction of the change they tell of. */
export interface BusOutboxTable {
  seq: Generated<number>
  /** `info` or `error`. */
  priority: string
  /** As it goes over the wire. */
  body: string
  at: number
  /** Until when a process is sending it; no other one does meanwhile. */
  taken_until: Generated<number>
}

/** Where events are sent to, how far it got, and which process sends them now. */
export interface WebhookTable {
  id: string
  url: string
  description: string | null
  format: string
  filters: string
  /** Which events whoever made it may see. */
  scope: string
  secret: string
  previous_secret: string | null
  /** Until when deliveries are signed with the previous secret too. */
  previous_secret_until: number | null
  active: number
  /** Why it is not active, when nobody has switched it off. */
  inactive_reason: string | null
  created_at: number
  updated_at: number
  /** Everything up to this place of this history was delivered, given up, or is not wanted. */
  epoch: string
  position: number
  /** Attempts that have failed with the event that is next. */
  failures: number
  next_attempt_at: number | null
  /** Since when no delivery has succeeded; null while they do. */
  failing_since: number | null
  last_delivery_at: number | null
  last_error: string | null
  /** Events that the log no longer had when it was their turn. */
  missed: number
  lease_owner: string | null
  lease_until: number
  /** Grows with every owner; what an older one writes is refused. */
  fence: number
}

/** Events that a webhook's receiver never took. */
export interface WebhookDeadLetterTable {
  id: string
  webhook_id: string
  event_id: string
  /** The event itself, because the log keeps it only for a time. */
  event: string
  attempts: number
  reason: string
  at: number
}

/** Tickets of the event stream that nobody has used yet. */
export interface EventTicketTable {
  /** Of the ticket, so that what is stored opens nothing. */
  digest: string
  /** Whose it is, as JSON without the token. */
  principal: string
  expires_at: number
}

/** See the migration `0006-disabled-hosts`. */
export interface DisabledHostTable {
  host: string
  reason: string
  at: number
}
