import { Type, type TSchema } from 'typebox'

import { NOTIFICATION_TYPES } from '../records/notification.ts'
import { RECOVERY_METHODS } from '../records/segment.ts'
import { closed, oneOf } from './schema.ts'
import type { Resource, Verb } from './route.ts'

/** What the API answers, for its description. Source: ha-api.md 2, 6.1, 7.1, 8.1, 9, 10, 16. */

const text = Type.String()
const nullableText = orNull({ type: 'string' })
const TIME = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{6}$'
const time = Type.String({ pattern: TIME })
const nullableTime = orNull({ type: 'string', pattern: TIME })

function orNull({ type, ...rest }: { readonly type: string; readonly pattern?: string }): TSchema {
  return Type.Unsafe<string | null>({ type: [type, 'null'], ...rest })
}

const dates = {
  created_at: time,
  updated_at: nullableTime,
  deleted_at: Type.Null(),
  deleted: Type.Literal(false),
}

const segment = closed({
  id: Type.Integer(),
  uuid: text,
  name: text,
  service_type: text,
  enabled: Type.Boolean(),
  description: nullableText,
  recovery_method: oneOf(RECOVERY_METHODS),
  ...dates,
})

const host = closed({
  id: Type.Integer(),
  uuid: text,
  name: text,
  failover_segment_id: text,
  failover_segment: segment,
  type: text,
  reserved: Type.Boolean(),
  control_attributes: text,
  on_maintenance: Type.Boolean(),
  ...dates,
})

const progress = closed({
  name: text,
  progress: Type.Number({ minimum: 0, maximum: 1 }),
  state: oneOf(['PENDING', 'RUNNING', 'SUCCESS', 'FAILURE', 'REVERTING', 'REVERTED', 'REVERT_FAILURE']),
  progress_details: Type.Array(
    closed({
      timestamp: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}\\.\\d{6}$' }),
      progress: Type.String({ pattern: '^[01]\\.\\d+$' }),
      message: text,
    }),
  ),
})

const notification = closed({
  id: Type.Integer(),
  notification_uuid: text,
  generated_time: time,
  source_host_uuid: text,
  type: oneOf(NOTIFICATION_TYPES),
  payload: Type.Record(Type.String(), Type.String()),
  status: oneOf(['new', 'running', 'finished', 'ignored', 'error', 'failed']),
  // In the answer of show only, from 1.1 on.
  recovery_workflow_details: Type.Optional(Type.Array(progress)),
  failover_segment_uuid: nullableText,
  message: nullableText,
  ...dates,
})

const vmove = closed({
  id: Type.Integer(),
  uuid: text,
  notification_uuid: text,
  instance_uuid: text,
  instance_name: text,
  source_host: nullableText,
  dest_host: nullableText,
  start_time: nullableTime,
  end_time: nullableTime,
  type: nullableText,
  status: nullableText,
  message: nullableText,
  ...dates,
})

const extension = closed({
  name: text,
  alias: text,
  description: text,
  namespace: text,
  updated: text,
  links: Type.Array(Type.Unknown()),
})

const links = Type.Array(closed({ rel: text, href: text, type: Type.Optional(text) }))
const versionMembers = { id: text, status: text, version: text, min_version: text, updated: text, links }
const version = closed({ ...versionMembers, 'media-types': Type.Array(closed({ base: text, type: text })) })

/** `GET /`. */
export const versionListAnswer = closed({ versions: Type.Array(closed(versionMembers)) })

const MEMBERS: Readonly<Record<Resource, readonly [one: string, many: string, schema: TSchema]>> = {
  versions: ['version', 'versions', version],
  extensions: ['extension', 'extensions', extension],
  segments: ['segment', 'segments', segment],
  hosts: ['host', 'hosts', host],
  notifications: ['notification', 'notifications', notification],
  vmoves: ['vmove', 'vmoves', vmove],
}

/** What an operation answers when it succeeds; undefined for one without a body. */
export function answerSchema(resource: Resource, verb: Verb): TSchema | undefined {
  if (verb === 'delete') return undefined
  const [one, many, schema] = MEMBERS[resource]
  return verb === 'index' ? closed({ [many]: Type.Array(schema) }) : closed({ [one]: schema })
}
