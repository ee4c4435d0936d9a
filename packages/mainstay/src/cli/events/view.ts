import type { DeadLetter, StreamConnection, StreamedEvent, Webhook } from '../../client/index.ts'
import { parseJson, toJson, type Json } from '../../core/json.ts'
import type { View } from '../output/view.ts'

export const eventView: View<StreamedEvent> = {
  columns: {
    seq: (event) => event.seq,
    cursor: (event) => event.cursor,
    timestamp: (event) => event.timestamp,
    occurred_at: (event) => event.occurred_at,
    severity: (event) => event.severity,
    event_type: (event) => event.event_type,
    node_name: (event) => event.node_name,
    resource_id: (event) => event.resource_id,
    project_id: (event) => event.project_id,
    correlation_id: (event) => event.correlation_id,
    source: (event) => event.source,
    service_type: (event) => event.service_type,
    canonical_service: (event) => event.canonical_service,
    publisher_id: (event) => event.publisher_id,
    source_event_id: (event) => event.source_event_id,
    id: (event) => event.id,
    data: (event) => event.data,
  },
  listed: ['seq', 'occurred_at', 'severity', 'event_type', 'node_name', 'resource_id'],
  shown: [
    'id',
    'seq',
    'cursor',
    'timestamp',
    'occurred_at',
    'severity',
    'event_type',
    'node_name',
    'resource_id',
    'project_id',
    'correlation_id',
    'source',
    'publisher_id',
    'data',
  ],
}

export const connectionView: View<StreamConnection> = {
  columns: {
    id: (connection) => connection.id,
    principal: (connection) => connection.principal,
    address: (connection) => connection.address,
    transport: (connection) => connection.transport,
    format: (connection) => connection.format,
    since: (connection) => connection.since,
    filters: (connection) => plain(connection.filters),
    projects: (connection) => (connection.projects === null ? null : [...connection.projects]),
    policy: (connection) => connection.policy,
    state: (connection) => connection.state,
    cursor: (connection) => connection.cursor,
    lag_events: (connection) => connection.lag.events,
    lag_bytes: (connection) => connection.lag.bytes,
    sent: (connection) => connection.sent,
    dropped: (connection) => connection.dropped,
  },
  listed: ['id', 'principal', 'address', 'transport', 'format', 'state', 'lag_events', 'sent', 'dropped'],
  shown: ['id', 'principal', 'address', 'transport', 'format', 'state', 'lag_events', 'sent', 'dropped'],
}

const WEBHOOK = [
  'id',
  'url',
  'description',
  'format',
  'filters',
  'active',
  'inactive_reason',
  'cursor',
  'failures',
  'next_attempt_at',
  'failing_since',
  'last_delivery_at',
  'last_error',
  'missed',
  'dead_letters',
  'created_at',
  'updated_at',
]

export const webhookView: View<Webhook> = {
  columns: {
    id: (webhook) => webhook.id,
    url: (webhook) => webhook.url,
    description: (webhook) => webhook.description,
    format: (webhook) => webhook.format,
    filters: (webhook) => plain(webhook.filters),
    projects: (webhook) => (webhook.projects === null ? null : [...webhook.projects]),
    active: (webhook) => webhook.active,
    inactive_reason: (webhook) => webhook.inactive_reason,
    cursor: (webhook) => webhook.cursor,
    failures: (webhook) => webhook.failures,
    next_attempt_at: (webhook) => webhook.next_attempt_at,
    failing_since: (webhook) => webhook.failing_since,
    last_delivery_at: (webhook) => webhook.last_delivery_at,
    last_error: (webhook) => webhook.last_error,
    missed: (webhook) => webhook.missed,
    dead_letters: (webhook) => webhook.dead_letters,
    created_at: (webhook) => webhook.created_at,
    updated_at: (webhook) => webhook.updated_at,
    secret: (webhook) => webhook.secret ?? null,
    previous_secret_until: (webhook) => webhook.previous_secret_until,
  },
  listed: ['id', 'url', 'format', 'active', 'failures', 'last_delivery_at', 'dead_letters'],
  shown: WEBHOOK,
}

/** With the secret, which is shown when it is new and never again. */
export const newSecretView: View<Webhook> = { ...webhookView, shown: [...WEBHOOK, 'secret'] }

export const deadLetterView: View<DeadLetter> = {
  columns: {
    id: (letter) => letter.id,
    event_id: (letter) => letter.event_id,
    event_type: (letter) => letter.event.event_type,
    attempts: (letter) => letter.attempts,
    reason: (letter) => letter.reason,
    at: (letter) => letter.at,
    event: (letter) => plain(letter.event),
  },
  listed: ['id', 'event_type', 'attempts', 'reason', 'at'],
  shown: ['id', 'event_id', 'event_type', 'attempts', 'reason', 'at', 'event'],
}

function plain(value: unknown): Json {
  return parseJson(toJson(value), 'the record')
}
