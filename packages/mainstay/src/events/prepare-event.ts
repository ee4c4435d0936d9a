import type { Json, JsonObject } from '../core/json.ts'
import { stableId } from './openstack/stable-id.ts'
import { redact } from './redact.ts'
import { storedText } from './stored-event.ts'
import type { NewStreamEvent } from './stream-event.ts'

/** The most bytes of one event's text. Source: event-stream.md 11.9. */
export const DEFAULT_MAX_EVENT_BYTES = 1024 * 1024

/** The longest texts of the other members; what services send is far below. */
const MAX_MEMBER_LENGTH = 1024

/**
 * The longest texts that patterns are held against: matching costs the product of both lengths, and no sender may make it
 * dear for everybody who listens. No host name and no type of any service is as long; the payload keeps what was sent.
 */
export const MAX_MATCHED_LENGTH = 255

/**
 * What the log is given of an event: without secrets (R32), within the limit (11.9). A payload that is too big is
 * replaced by its size and the address of the event; the members that filters look at stay.
 */
export function prepareEvent(event: NewStreamEvent, maxBytes = DEFAULT_MAX_EVENT_BYTES): NewStreamEvent {
  const data = redact(event.data)
  const sourceId = plainId(event.source_event_id)
  const matched = matchable(event)
  const changed = data !== event.data || sourceId !== event.source_event_id || matched !== event
  const redacted = changed ? { ...matched, data, source_event_id: sourceId } : event
  if (bytesAtMost(redacted as unknown as JsonObject) <= maxBytes) return redacted
  const size = Buffer.byteLength(storedText(redacted))
  if (size <= maxBytes) return redacted
  return shortened({ ...redacted, data: truncated(event, size) })
}

function matchable(event: NewStreamEvent): NewStreamEvent {
  const { event_type: type, node_name: node, service_type: service, canonical_service: canonical } = event
  const longest = Math.max(type.length, node?.length ?? 0, service.length, canonical.length)
  if (longest <= MAX_MATCHED_LENGTH) return event
  const cut = (text: string): string => text.slice(0, MAX_MATCHED_LENGTH).toWellFormed()
  return {
    ...event,
    event_type: cut(type),
    node_name: node === null ? null : cut(node),
    service_type: cut(service),
    canonical_service: cut(canonical),
  }
}

/** An id that every store keeps as it is; what a sender may have made too long or of strange characters is hashed. */
function plainId(sourceId: string): string {
  return /^[\x20-\x7e]{1,200}$/.test(sourceId) ? sourceId : stableId(sourceId)
}

function truncated({ id, data }: NewStreamEvent, size: number): JsonObject {
  const kept = ['service_type', 'resource_id'].flatMap((name) => {
    const value = data[name]
    return value === null || (typeof value === 'string' && value.length <= MAX_MEMBER_LENGTH) ? [[name, value]] : []
  })
  return { ...(Object.fromEntries(kept) as JsonObject), truncated: true, size, history: `/v1/events/${id}` }
}

/** Cuts the members that a hostile sender may have made too long. */
function shortened(event: NewStreamEvent): NewStreamEvent {
  const entries = Object.entries(event).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.slice(0, MAX_MEMBER_LENGTH) : value,
  ])
  return Object.fromEntries(entries)
}

/** More than the JSON of a value can take: a quick look that spares nearly every event from being written out twice. */
function bytesAtMost(value: Json): number {
  if (typeof value === 'string') return 6 * value.length + 2
  if (typeof value !== 'object' || value === null) return 25
  let bytes = 2
  for (const [name, member] of Object.entries(value as JsonObject)) bytes += 6 * name.length + 4 + bytesAtMost(member)
  return bytes
}
