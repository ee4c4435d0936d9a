import type { Severity } from '../../core/event.ts'
import { toJson, type JsonObject } from '../../core/json.ts'
import type { StreamEvent } from '../stream-event.ts'

export const CLOUDEVENT_TYPE = 'application/cloudevents+json'
export const CLOUDEVENT_BATCH_TYPE = 'application/cloudevents-batch+json'

export interface CloudEventOptions {
  /** The second part of `source`: where the events come from. */
  readonly region: string
  /** Stands before the event's type; `{source}` is replaced by where it comes from, `openstack` or `mainstay`. */
  readonly typePrefix: string
}

export const DEFAULT_CLOUDEVENT_OPTIONS: CloudEventOptions = { region: 'RegionOne', typePrefix: 'org.{source}.' }

/** Names and numbers of OpenTelemetry's severities, which the CloudEvents severity extension uses. */
const SEVERITIES: Readonly<Record<Severity, readonly [text: string, number: number]>> = {
  debug: ['DEBUG', 5],
  info: ['INFO', 9],
  warning: ['WARN', 13],
  error: ['ERROR', 17],
  critical: ['FATAL', 21],
}

/** Of so many digits is the greatest place that an event can have (R1), so that places sort as text. */
const SEQUENCE_DIGITS = 16

/**
 * An event as one CloudEvents 1.0 object in structured JSON. Attributes without a value are left out, because a
 * CloudEvents attribute is never null.
 *
 * Source: event-stream.md R25.
 */
export function toCloudEvent(event: StreamEvent, options: CloudEventOptions = DEFAULT_CLOUDEVENT_OPTIONS): JsonObject {
  const { resource_id: resource, node_name: node } = event
  const [severitytext, severitynumber] = SEVERITIES[event.severity]
  return {
    specversion: '1.0',
    id: event.id,
    source: `/${[event.source, options.region, event.publisher_id ?? 'unknown'].map(pathSegment).join('/')}`,
    type: options.typePrefix.replaceAll('{source}', event.source) + event.event_type,
    time: event.occurred_at,
    ...given('subject', resource === null || resource === '' ? node : resource),
    datacontenttype: 'application/json',
    sequence: String(event.seq).padStart(SEQUENCE_DIGITS, '0'),
    severitytext,
    severitynumber,
    epoch: event.epoch,
    ...given('nodename', node),
    servicetype: event.service_type,
    ...given('partitionkey', resource),
    data: event.data,
  }
}

/** {@link toCloudEvent} as text on one line. */
export function formatCloudEvent(event: StreamEvent, options?: CloudEventOptions): string {
  return toJson(toCloudEvent(event, options))
}

/** Texts of {@link formatCloudEvent} as one batch. */
export function cloudEventBatch(texts: readonly string[]): string {
  return `[${texts.join(',')}]`
}

/** An attribute, unless it would be empty. */
function given(name: string, value: string | null): Record<string, string> {
  return value === null || value === '' ? {} : { [name]: value }
}

/** What RFC 3986 allows in a segment beyond what the escape function leaves alone. */
function pathSegment(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':').replaceAll('%40', '@')
}
