import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { formatZulu, parseTimestamp } from '../../core/timestamp.ts'
import { serviceOf } from '../filter/index.ts'
import type { NewStreamEvent } from '../stream-event.ts'
import { canonicalService } from './canonical-service.ts'
import { eventNames } from './event-names.ts'
import { firstText } from './first-text.ts'
import { notificationSeverity } from './notification-severity.ts'
import type { OsloNotification } from './oslo-notification.ts'
import { stableId } from './stable-id.ts'

export interface NotificationArrival {
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number
  /** Names the notification when its sender did not: the same text for the same notification. */
  readonly fallbackId: string
  /** The priority by the routing key, for a notification that does not say its own. */
  readonly priority?: string | null
}

/**
 * A notification of an OpenStack service as an event of the stream. Never throws.
 *
 * Source: event-stream.md section 4, 8.6, R2, R16.
 */
export function notificationToStreamEvent(
  notification: OsloNotification,
  { nowMs, fallbackId, priority = null }: NotificationArrival,
): NewStreamEvent {
  const { eventType, payload, publisherId, messageId } = notification
  const service = canonicalService(notification)
  const { nodeName, resourceId } = eventNames(eventType, payload, service)
  const serviceType = serviceOf(eventType)
  const sourceId = messageId ?? fallbackId
  return {
    id: stableId(sourceId),
    timestamp: formatZulu(nowMs),
    event_type: eventType,
    source: 'openstack',
    node_name: nodeName,
    data: { ...payload, service_type: serviceType, resource_id: resourceId },
    service_type: serviceType,
    canonical_service: service,
    resource_id: resourceId,
    severity: notificationSeverity(eventType, notification.priority ?? priority),
    occurred_at: formatZulu(parseTimestamp(notification.timestamp ?? '') ?? nowMs),
    publisher_id: publisherId,
    source_event_id: sourceId,
    project_id: projectOf(notification, service),
    correlation_id: notification.requestId ?? requestInPayload(payload),
  }
}

/** Names of the project that a resource belongs to. A node of ironic has an owner, an image of glance too. */
const PROJECT_NAMES = ['project_id', 'tenant_id', 'owner']

/**
 * Whose event it is: the project of the resource, otherwise that of the request. What happens to identities is nobody's
 * but the administrators'.
 */
function projectOf({ eventType, payload, requestProjectId }: OsloNotification, service: string): string | null {
  if (service === 'keystone') return null
  const places = [payload[`${service}_object.data`], payload[serviceOf(eventType)], payload].filter((place) =>
    isJsonObject(place),
  )
  for (const place of places) {
    const project = firstText(place, PROJECT_NAMES)
    if (project !== null) return project
  }
  return requestProjectId
}

function requestInPayload(payload: JsonObject): string | null {
  const { initiator } = payload
  const nova = payload['nova_object.data']
  return (
    firstText(payload, ['request_id']) ??
    (isJsonObject(nova) ? firstText(nova, ['request_id']) : null) ??
    (isJsonObject(initiator) ? firstText(initiator, ['request_id']) : null)
  )
}
