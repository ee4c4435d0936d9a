import { Type } from 'typebox'

import { NOTIFICATION_TYPES, type NotificationType } from '../records/notification.ts'
import { bodySchema, closed, dateTimeText, hostnameText, oneOf, uuidText, type BodySchema } from './schema.ts'

/** Bodies of notifications: first the general form, then the payload by type. Source: ha-api.md 8.2. */

const anyPayload = Type.Record(
  Type.String({ pattern: '^[a-zA-Z0-9\\-_:. ]{1,255}$' }),
  Type.String({ maxLength: 255 }),
  {
    additionalProperties: false,
  },
)

export const createNotification = bodySchema(
  closed({
    notification: closed({
      type: oneOf(NOTIFICATION_TYPES),
      hostname: hostnameText,
      generated_time: dateTimeText,
      payload: anyPayload,
    }),
  }),
)

const event = oneOf(['STARTED', 'STOPPED'])
const shortText = Type.String({ minLength: 1, maxLength: 255 })

export const PAYLOADS: Readonly<Record<NotificationType, BodySchema<unknown>>> = {
  COMPUTE_HOST: bodySchema(
    closed({
      event,
      host_status: Type.Optional(oneOf(['NORMAL', 'UNKNOWN'])),
      cluster_status: Type.Optional(oneOf(['ONLINE', 'OFFLINE'])),
    }),
  ),
  PROCESS: bodySchema(closed({ process_name: shortText, event })),
  VM: bodySchema(closed({ instance_uuid: uuidText, event: shortText, vir_domain_event: shortText })),
}
