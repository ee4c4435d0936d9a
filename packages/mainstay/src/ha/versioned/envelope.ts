import type { RequestContext } from '../../core/context.ts'
import { errorMessage } from '../../core/errors.ts'
import { toJson, type Json, type JsonObject } from '../../core/json.ts'
import { formatSpacedTimestamp, formatZulu } from '../../core/timestamp.ts'
import type { HaEvent, HaSubject } from '../events.ts'
import type { Segment } from '../records/segment.ts'

/** Versioned notifications as the listeners of OpenStack know them. Source: ha-api.md 18. Pure. */

export interface EnvelopeFacts {
  readonly id: string
  /** `masakari-api:<host>` or `masakari-engine:<host>`. */
  readonly publisherId: string
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number
}

export function envelope(event: HaEvent, { id, publisherId, nowMs }: EnvelopeFacts): JsonObject {
  return {
    message_id: id,
    publisher_id: publisherId,
    event_type: `${event.resource}.${event.action}.${event.phase}`,
    priority: event.phase === 'error' ? 'ERROR' : 'INFO',
    timestamp: formatSpacedTimestamp(nowMs),
    payload: payload(event),
  }
}

/**
 * The body that oslo.messaging's second format puts on the wire: the envelope with the context beside it, as text in
 * another object.
 */
export function osloMessage(message: JsonObject, context: RequestContext, uniqueId: string): string {
  const carried = {
    request_id: context.requestId,
    global_request_id: context.globalRequestId,
    user_id: context.userId,
    project_id: context.projectId,
    user_domain: context.userDomainId,
    project_domain: context.projectDomainId,
    roles: context.roles,
    is_admin: context.isAdmin,
    read_deleted: 'no',
  }
  const withContext = Object.fromEntries(Object.entries(carried).map(([name, value]) => [`_context_${name}`, value]))
  const inner = { ...message, ...withContext, _unique_id: uniqueId.replaceAll('-', '') }
  return toJson({ 'oslo.version': '2.0', 'oslo.message': toJson(inner) })
}

function payload(event: HaEvent): JsonObject {
  const fault = event.phase === 'error' ? exceptionPayload(event) : null
  const { subject } = event
  if (subject.resource === 'segment') {
    return wrapped('SegmentApiPayload', '1.1', { ...segmentMembers(subject.segment), fault })
  }
  if (subject.resource === 'host') {
    return wrapped('HostApiPayload', '1.0', { ...hostMembers(subject), fault })
  }
  return wrapped('NotificationApiPayload', '1.0', { ...notificationMembers(subject), fault })
}

function exceptionPayload({ fault, action }: HaEvent): JsonObject {
  const processing = action === 'process'
  return wrapped('ExceptionPayload', '1.0', {
    module_name: 'unknown',
    function_name: 'unknown',
    exception: processing || !(fault instanceof Error) ? 'str' : fault.name,
    exception_message: errorMessage(fault),
    traceback: fault instanceof Error ? (fault.stack ?? '') : '',
  })
}

function segmentMembers(segment: Partial<Segment>): Members {
  return {
    id: segment.id,
    uuid: segment.uuid,
    name: segment.name,
    service_type: segment.serviceType,
    description: segment.description,
    recovery_method: segment.recoveryMethod,
    enabled: segment.enabled,
  }
}

function hostMembers({ host, segment }: Extract<HaSubject, { resource: 'host' }>): Members {
  return {
    id: host.id,
    uuid: host.uuid,
    name: host.name,
    failover_segment: wrapped('FailoverSegment', '1.1', {
      ...segmentMembers(segment),
      created_at: formatSeconds(segment.createdAt),
      updated_at: segment.updatedAt === null ? null : formatSeconds(segment.updatedAt),
      deleted_at: null,
      deleted: false,
    }),
    type: host.type,
    reserved: host.reserved,
    control_attributes: host.controlAttributes,
    on_maintenance: host.onMaintenance,
  }
}

function notificationMembers({ notification }: Extract<HaSubject, { resource: 'notification' }>): Members {
  const { generatedTime } = notification
  return {
    id: notification.id,
    notification_uuid: notification.uuid,
    generated_time: generatedTime === undefined ? undefined : formatSeconds(generatedTime),
    source_host_uuid: notification.sourceHostUuid,
    type: notification.type,
    payload: notification.payload,
    status: notification.status,
  }
}

type Members = Readonly<Record<string, Json | undefined>>

/** What is not known yet is absent. */
function wrapped(name: string, version: string, members: Members): JsonObject {
  const data: Record<string, Json> = {}
  for (const [member, value] of Object.entries(members)) if (value !== undefined) data[member] = value
  return {
    'masakari_object.name': name,
    'masakari_object.namespace': 'masakari',
    'masakari_object.version': version,
    'masakari_object.data': data,
  }
}

/** `YYYY-MM-DDTHH:MM:SSZ` */
function formatSeconds(ms: number): string {
  return `${formatZulu(ms).slice(0, 19)}Z`
}
