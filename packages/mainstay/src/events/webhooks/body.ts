import { toJson, type JsonObject } from '../../core/json.ts'
import type { Severity } from '../../core/event.ts'
import { CLOUDEVENT_TYPE, formatCloudEvent, type CloudEventOptions } from '../format/cloudevents.ts'
import { formatCompat } from '../format/compat.ts'
import { eventJson } from '../stored-event.ts'
import type { StreamEvent } from '../stream-event.ts'
import type { WebhookFormat } from './webhook.ts'

export interface DeliveryBody {
  readonly contentType: string
  readonly text: string
}

/** An event as it is delivered. */
export function deliveryBody(event: StreamEvent, format: WebhookFormat, cloudEvents?: CloudEventOptions): DeliveryBody {
  switch (format) {
    case 'native':
      return { contentType: 'application/json', text: eventJson(event) }
    case 'cloudevents':
      return { contentType: `${CLOUDEVENT_TYPE}; charset=utf-8`, text: formatCloudEvent(event, cloudEvents) }
    case 'compat':
      return { contentType: 'application/json', text: formatCompat(event) }
    case 'notification':
      return { contentType: 'application/json', text: toJson(notificationBody(event)) }
  }
}

const PRIORITIES: Readonly<Record<Severity, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warning: 'WARN',
  error: 'ERROR',
  critical: 'CRITICAL',
}

/** A notification with exactly the six members that the reference forwards. Source: event-stream.md 8.5. */
function notificationBody(event: StreamEvent): JsonObject {
  const { service_type: _service, resource_id: _resource, ...payload } = event.data
  return {
    priority: PRIORITIES[event.severity],
    event_type: event.event_type,
    timestamp: event.occurred_at,
    publisher_id: event.publisher_id,
    message_id: event.source_event_id,
    payload,
  }
}
