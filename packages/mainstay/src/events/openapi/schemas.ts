import type { TSchema } from 'typebox'

import type { Json, JsonObject } from '../../core/json.ts'
import { SEVERITIES } from '../filter/index.ts'
import { FilterSchema } from '../webhooks/schema.ts'

/** A schema of the library as data: its own marks are left out. */
export function plain(schema: TSchema): JsonObject {
  return toPlain(schema) as JsonObject
}

function toPlain(value: unknown): Json {
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value !== 'object' || value === null) return value as Json
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, member]) => !name.startsWith('~') && member !== undefined)
      .map(([name, member]) => [name, toPlain(member)]),
  )
}

const text = (description: string): JsonObject => ({ type: 'string', description })
const textOrNull = (description: string): JsonObject => ({ type: ['string', 'null'], description })
const whole = (description: string): JsonObject => ({ type: 'integer', minimum: 0, description })
const time = (description: string): JsonObject => ({ type: 'string', format: 'date-time', description })
const timeOrNull = (description: string): JsonObject => ({ type: ['string', 'null'], format: 'date-time', description })

const object = (properties: Record<string, JsonObject>): JsonObject => ({
  type: 'object',
  required: Object.keys(properties),
  properties,
})
const list = (items: JsonObject): JsonObject => ({ type: 'array', items })

/** An event as the native stream, history and webhooks show it. Source: event-stream.md R2. */
export const EVENT = object({
  id: text('Stable: every node and every replay shows the same one.'),
  timestamp: time('When the stream took it in.'),
  event_type: text('Dotted, most general first.'),
  source: text('openstack for notifications, mainstay for our own.'),
  node_name: textOrNull('The machine it is about.'),
  data: { type: 'object', description: 'What its source said, without secrets.' },
  seq: { ...whole('Its place: grows by exactly one.'), minimum: 1 },
  epoch: text('Names one unbroken history.'),
  cursor: text('Where to go on after this event; opaque.'),
  service_type: text('The first segment of event_type, unknown when that is empty.'),
  canonical_service: text('The service, whatever its types are called.'),
  resource_id: textOrNull('What it is about.'),
  severity: { type: 'string', enum: [...SEVERITIES] },
  occurred_at: time('When it happened, by its source.'),
  publisher_id: textOrNull('Who said so.'),
  source_event_id: text('The id that its source gave it.'),
  project_id: textOrNull('Whose it is.'),
  correlation_id: textOrNull('The request that led to it.'),
})

/** An event in the words of CloudEvents. Source: event-stream.md R25. */
export const CLOUD_EVENT: JsonObject = {
  type: 'object',
  description: 'A CloudEvents 1.0 object in structured JSON.',
  required: ['specversion', 'id', 'source', 'type', 'time', 'sequence', 'data'],
  properties: {
    specversion: { const: '1.0' },
    id: text('The id of the event.'),
    source: text('/openstack/<region>/<publisher>'),
    type: text('The event type behind a prefix.'),
    time: time('When it happened.'),
    sequence: text('The place in 16 digits, so that it sorts as text.'),
    data: { type: 'object' },
  },
}

const FILTER = plain(FilterSchema)

export const HISTORY_PAGE = object({
  events: list({ anyOf: [EVENT, CLOUD_EVENT] }),
  next_cursor: textOrNull('since of the next question, with order=desc its until; null when there is nothing more.'),
  oldest: whole('The place of the oldest event that is kept.'),
  head: whole('The place of the newest event.'),
  epoch: text('The history they belong to.'),
})

export const CURSOR_GONE = object({
  error: { type: 'object', description: 'As every error of the native API.' },
  reason: { type: 'string', enum: ['cursor_expired', 'cursor_ahead', 'epoch_changed'] },
  oldest: whole('The place of the oldest event that is kept.'),
  head: whole('The place of the newest event.'),
  epoch: text('The history they belong to.'),
})

export const CONNECTION = object({
  id: text('As hello told it to the client.'),
  principal: textOrNull('Who listens; null where nobody is asked who they are.'),
  address: text('Where from.'),
  transport: { type: 'string', enum: ['websocket', 'sse'] },
  format: text('native, compat or cloudevents.'),
  since: text('What it asked for.'),
  filters: FILTER,
  projects: {
    type: ['array', 'null'],
    items: { type: 'string' },
    description: 'Whose events it may see; null for all.',
  },
  policy: { type: 'string', enum: ['catchup', 'drop', 'disconnect'] },
  state: text('starting, replaying, live, behind or draining.'),
  cursor: text('How far it was given events.'),
  lag: object({ events: whole('Events that it has yet to be given.'), bytes: whole('Bytes that it has yet to take.') }),
  sent: whole('Events that it was given.'),
  dropped: whole('Events that were left out under policy=drop.'),
})

export const TICKET = object({
  ticket: text('Opens one stream, once.'),
  expires_at: time('Until when.'),
  expires_in_ms: whole('How long that is.'),
})

export const WEBHOOK: JsonObject = {
  ...object({
    id: text('Its id.'),
    url: text('Where events are posted.'),
    description: textOrNull('For people.'),
    format: text('native, cloudevents, compat; notification for the one that the configuration makes.'),
    filters: FILTER,
    projects: {
      type: ['array', 'null'],
      items: { type: 'string' },
      description: 'Whose events it gets; null for all.',
    },
    active: { type: 'boolean' },
    inactive_reason: textOrNull('Why it is not active, when nobody has switched it off.'),
    created_at: time('When it was made.'),
    updated_at: time('When it was changed.'),
    previous_secret_until: timeOrNull('Until when deliveries are signed with the previous secret too.'),
    cursor: text('How far deliveries have come.'),
    failures: whole('Attempts that have failed with the event that is next.'),
    next_attempt_at: timeOrNull('When that is tried again.'),
    failing_since: timeOrNull('Since when no delivery has succeeded.'),
    last_delivery_at: timeOrNull('When one has.'),
    last_error: textOrNull('Why the last attempt failed.'),
    missed: whole('Events that the log had dropped before their turn.'),
    dead_letters: whole('Events that were given up.'),
  }),
}

/** With the secret that is shown when it is new and never again. */
export const WEBHOOK_WITH_SECRET: JsonObject = {
  allOf: [WEBHOOK, { type: 'object', properties: { secret: text('What deliveries are signed with.') } }],
}

export const DEAD_LETTER = object({
  id: text('Its id.'),
  event_id: text('The id of the event.'),
  attempts: whole('How often it was tried.'),
  reason: text('Why the last attempt failed.'),
  at: time('When it was given up.'),
  event: EVENT,
})

export const listOf = (name: string, items: JsonObject): JsonObject => object({ [name]: list(items) })
export const countOf = (name: string, description: string): JsonObject => object({ [name]: whole(description) })
