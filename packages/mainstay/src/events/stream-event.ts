import type { Severity } from '../core/event.ts'
import type { JsonObject } from '../core/json.ts'

/**
 * One event of the stream before the log has given it a place. The names are those of the wire.
 *
 * Source: event-stream.md sections 1 and 11.1 (R2).
 */
export interface NewStreamEvent {
  /** Stable: derived from the source's own id, so every node and every replay shows the same one. */
  readonly id: string
  /** When the stream took it in: UTC, ISO 8601, at least three fraction digits, `Z`. */
  readonly timestamp: string
  readonly event_type: string
  /** `openstack` for notifications, `mainstay` for our own. */
  readonly source: string
  readonly node_name: string | null
  readonly data: JsonObject
  /** The first segment of `event_type`, `unknown` when that is empty: what service filters compare. */
  readonly service_type: string
  /** The service whatever its types are called: `nova` also for `compute.*` and `instance.*`. */
  readonly canonical_service: string
  readonly resource_id: string | null
  readonly severity: Severity
  /** When it happened, by its source: ISO 8601 in UTC. */
  readonly occurred_at: string
  readonly publisher_id: string | null
  /** The id the source gave it (oslo's `message_id`); the log drops repeats by it. */
  readonly source_event_id: string
  readonly project_id: string | null
  /** The request that led to it. */
  readonly correlation_id: string | null
}

/** An event in the log. */
export interface StreamEvent extends NewStreamEvent {
  /** Starts at 1, grows by exactly 1, never reused, at most 2^53 - 1 (R1). */
  readonly seq: number
  /** Names one unbroken history; changes only when history was lost. */
  readonly epoch: string
  /** `<epoch>:<seq>`, opaque to clients. */
  readonly cursor: string
}
