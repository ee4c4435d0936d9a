import { Type } from 'typebox'

import type { Clock } from '../../core/clock.ts'
import type { RequestContext } from '../../core/context.ts'
import { MainstayError, errorMessage } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { ForbiddenError, requestContextOf, type HttpApp } from '../../http/index.ts'
import type { Ingest } from '../ingest.ts'
import type { BaremetalEvents } from './baremetal-events.ts'
import { readNotification } from './oslo-notification.ts'
import { isUuid } from './stable-id.ts'
import { notificationToStreamEvent } from './to-stream-event.ts'

export const BAREMETAL_PATH = '/v1/notifications/baremetal'

/** Roles besides admin that may report what happened. */
const WRITER_ROLES = ['service', 'events:write']

/** What was posted is no notification. */
export class InvalidNotificationError extends MainstayError {
  readonly code = 'MS_NOTIFICATION_INVALID'
  readonly status = 422
  readonly retryable = false
}

/** What is posted. Members beyond these are passed over. */
export const BaremetalNotification = Type.Object({
  priority: Type.String({ description: 'INFO, WARN, ERROR, …' }),
  event_type: Type.String({ description: 'baremetal.<object>.<action>.<status>' }),
  timestamp: Type.String({ description: 'When it happened, UTC.' }),
  publisher_id: Type.String({ description: 'Who says so.' }),
  message_id: Type.String({ description: 'A UUID; what has been reported under it before is not stored again.' }),
  payload: Type.Record(Type.String(), Type.Unknown(), { description: 'With ironic_object.data.' }),
})

export interface BaremetalRouteDeps {
  readonly clock: Clock
  readonly ingest: Pick<Ingest, 'accept'>
  readonly baremetal: BaremetalEvents
}

/**
 * `POST /v1/notifications/baremetal`: a change of a machine, reported over HTTP instead of the broker. It is stored like
 * any other event, and the inventory is told.
 *
 * Source: event-stream.md section 6 and 8.4.
 *
 * @param native registers routes that know who asks
 */
export async function baremetalRoute(native: HttpApp, { clock, ingest, baremetal }: BaremetalRouteDeps): Promise<void> {
  await native.register(async (routes) => {
    routes.removeContentTypeParser('application/json')
    routes.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: unknown, text: string) => {
      try {
        return parseJson(text, 'The body')
      } catch (error) {
        throw new InvalidNotificationError(errorMessage(error), { cause: error })
      }
    })
    const schema = { description: 'Reports a change of a machine.', body: BaremetalNotification }
    routes.post(BAREMETAL_PATH, { schema, attachValidation: true }, async (request, reply) => {
      assertWriter(requestContextOf(request))
      const { body, validationError } = request
      if (validationError !== undefined) {
        throw new InvalidNotificationError(`The notification is not complete: ${validationError.message}.`)
      }
      const notification = readNotification(body)
      const messageId = notification.messageId ?? ''
      if (!isUuid(messageId)) throw new InvalidNotificationError('body/message_id must be a UUID.')
      const event = notificationToStreamEvent(notification, { nowMs: clock.now(), fallbackId: messageId })
      await ingest.accept([event])
      await baremetal.handle(notification.eventType, notification.payload)
      return await reply.code(204).send()
    })
  })
}

/** @throws ForbiddenError */
function assertWriter({ isAdmin, roles }: RequestContext): void {
  if (!isAdmin && !WRITER_ROLES.some((role) => roles.includes(role))) throw new ForbiddenError('events:write')
}
