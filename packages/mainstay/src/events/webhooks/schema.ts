import { Type, type Static } from 'typebox'

import { WEBHOOK_FORMATS } from './webhook.ts'

const closed = { additionalProperties: false } as const
const Texts = Type.Array(Type.String(), { description: 'Texts or patterns; empty for all.' })

/** A filter as it is sent and shown; its limits are checked where it is read (event-stream.md 11.9). */
export const FilterSchema = Type.Object(
  {
    event_filters: Type.Optional(Texts),
    node_filters: Type.Optional(Texts),
    service_filters: Type.Optional(Texts),
    min_severity: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    resource_ids: Type.Optional(Type.Array(Type.String())),
    project_ids: Type.Optional(Type.Array(Type.String())),
    correlation_ids: Type.Optional(Type.Array(Type.String())),
  },
  { ...closed, description: 'Which events are wanted; all unless given.' },
)

const members = {
  url: Type.String({ maxLength: 2000, description: 'Where events are posted to, http or https.' }),
  description: Type.Union([Type.String({ maxLength: 500 }), Type.Null()], { description: 'For people.' }),
  filters: FilterSchema,
  format: Type.Union(
    WEBHOOK_FORMATS.map((format) => Type.Literal(format)),
    { description: 'What a delivery looks like.' },
  ),
  secret: Type.String({
    minLength: 24,
    maxLength: 128,
    pattern: '^[\\x21-\\x7e]+$',
    description: 'What deliveries are signed with; made by the server unless given, and shown only when it is new.',
  }),
  active: Type.Boolean({ description: 'Whether events are delivered.' }),
}

export const NewWebhookSchema = Type.Object(
  {
    url: members.url,
    description: Type.Optional(members.description),
    filters: Type.Optional(members.filters),
    format: Type.Optional(members.format),
    secret: Type.Optional(members.secret),
    active: Type.Optional(members.active),
    since: Type.Optional(
      Type.String({ maxLength: 200, description: 'Where to begin: latest, earliest, a cursor, or a time.' }),
    ),
  },
  closed,
)

export const WebhookChangeSchema = Type.Object(
  {
    url: Type.Optional(members.url),
    description: Type.Optional(members.description),
    filters: Type.Optional(members.filters),
    format: Type.Optional(members.format),
    secret: Type.Optional(members.secret),
    rotate_secret: Type.Optional(Type.Literal(true, { description: 'Makes a new secret.' })),
    active: Type.Optional(members.active),
  },
  { ...closed, minProperties: 1 },
)

export type NewWebhookBody = Static<typeof NewWebhookSchema>
export type WebhookChangeBody = Static<typeof WebhookChangeSchema>

export const WebhookId = Type.Object({ id: Type.String({ maxLength: 64 }) })
export const DeadLetterId = Type.Object({ id: Type.String({ maxLength: 64 }), letter: Type.String({ maxLength: 64 }) })
export const DeadLetterQuery = Type.Object(
  { limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$' })) },
  closed,
)
