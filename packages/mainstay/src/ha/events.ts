import type { RequestContext } from '../core/context.ts'
import { errorMessage } from '../core/errors.ts'
import type { MainstayEvent } from '../core/event.ts'
import type { JsonObject } from '../core/json.ts'
import { formatTimestamp } from '../core/timestamp.ts'
import { hostView, segmentView } from './api/views.ts'
import type { Host } from './records/host.ts'
import type { Notification } from './records/notification.ts'
import type { Segment } from './records/segment.ts'

/**
 * What the HA API tells of its changes: `<resource>.<action>.<phase>`.
 *
 *   start ──▶ end | error
 *
 * `start` and `end` are written in the transaction of the change; `start` and `error` of an attempt that failed are kept
 * afterwards, as well as can be.
 * Refusals before the attempt (validation, 404, in use) tell nothing. Source: ha-api.md 18.
 */
export interface HaEvent {
  readonly resource: 'segment' | 'host' | 'notification'
  readonly action: 'create' | 'update' | 'delete' | 'process'
  readonly phase: 'start' | 'end' | 'error'
  readonly subject: HaSubject
  /** What went wrong, where `phase` is `error`. */
  readonly fault: unknown
}

/** The record as far as it is known; what is not known yet is absent. */
export type HaSubject =
  | { readonly resource: 'segment'; readonly segment: Partial<Segment> }
  | { readonly resource: 'host'; readonly host: Partial<Host>; readonly segment: Segment }
  | { readonly resource: 'notification'; readonly notification: Partial<Notification> }

/** The event of our own stream. */
export function toMainstayEvent(
  event: HaEvent,
  { id, nowMs, context }: { id: string; nowMs: number; context: RequestContext },
): MainstayEvent {
  const { resource, action, phase, subject } = event
  return {
    id,
    type: `${resource}.${action}.${phase}`,
    severity: phase === 'error' ? 'error' : 'info',
    occurredAt: nowMs,
    nodeName: subject.resource === 'host' ? (subject.host.name ?? null) : null,
    resourceId: uuidOf(subject),
    projectId: context.projectId,
    correlationId: context.requestId,
    payload: { ...payloadOf(subject), fault: phase === 'error' ? errorMessage(event.fault) : null },
  }
}

function uuidOf(subject: HaSubject): string | null {
  if (subject.resource === 'segment') return subject.segment.uuid ?? null
  if (subject.resource === 'host') return subject.host.uuid ?? null
  return subject.notification.uuid ?? null
}

function payloadOf(subject: HaSubject): JsonObject {
  if (subject.resource === 'segment') {
    return isComplete(subject.segment) ? segmentView(subject.segment) : known(segmentMembers(subject.segment))
  }
  if (subject.resource === 'host') {
    return isComplete(subject.host) ? hostView(subject.host, subject.segment) : known(hostMembers(subject.host))
  }
  return known(notificationMembers(subject.notification))
}

/** A record that has been stored has all of its members. */
function isComplete<Stored extends { readonly id: number }>(value: Partial<Stored>): value is Stored {
  return value.id !== undefined
}

type Members = Readonly<Record<string, JsonObject | string | number | boolean | null | undefined>>

function known(members: Members): JsonObject {
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

function segmentMembers(segment: Partial<Segment>): Members {
  return {
    name: segment.name,
    service_type: segment.serviceType,
    description: segment.description,
    recovery_method: segment.recoveryMethod,
    enabled: segment.enabled,
  }
}

function hostMembers(host: Partial<Host>): Members {
  return {
    name: host.name,
    failover_segment_id: host.segmentUuid,
    type: host.type,
    reserved: host.reserved,
    control_attributes: host.controlAttributes,
    on_maintenance: host.onMaintenance,
  }
}

function notificationMembers(notification: Partial<Notification>): Members {
  const { generatedTime } = notification
  return {
    id: notification.id,
    notification_uuid: notification.uuid,
    generated_time: generatedTime === undefined ? undefined : formatTimestamp(generatedTime),
    source_host_uuid: notification.sourceHostUuid,
    type: notification.type,
    payload: notification.payload,
    status: notification.status,
  }
}
