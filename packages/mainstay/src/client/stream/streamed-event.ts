import type { Severity } from '../../core/event.ts'
import type { JsonObject } from '../../core/json.ts'

/** An event as the stream and its history show it. Source: event-stream.md R2. */
export interface StreamedEvent {
  /** Stable: every server and every replay shows the same one. */
  readonly id: string
  /** When the stream took it in: UTC, ISO 8601 with `Z`. */
  readonly timestamp: string
  readonly event_type: string
  /** `openstack` for notifications, `mainstay` for its own. */
  readonly source: string
  readonly node_name: string | null
  readonly data: JsonObject
  /** Grows by exactly one from event to event; a filter and a scope leave some out. */
  readonly seq: number
  /** The place behind this event; `since` takes it. */
  readonly cursor: string
  /** Names one unbroken history; changes only when history was lost. */
  readonly epoch: string
  /** The first segment of `event_type`. */
  readonly service_type: string
  readonly canonical_service: string
  readonly resource_id: string | null
  readonly severity: Severity
  /** When it happened, by its source. */
  readonly occurred_at: string
  readonly publisher_id: string | null
  readonly source_event_id: string
  readonly project_id: string | null
  /** The request that led to it. */
  readonly correlation_id: string | null
}

/** Which events are wanted. Lists hold texts or patterns, see docs/reference/event-stream.md; an empty one wants all. */
export interface StreamFilters {
  readonly event_filters?: readonly string[] | undefined
  readonly node_filters?: readonly string[] | undefined
  readonly service_filters?: readonly string[] | undefined
  readonly min_severity?: Severity | null | undefined
  readonly resource_ids?: readonly string[] | undefined
  readonly project_ids?: readonly string[] | undefined
  readonly correlation_ids?: readonly string[] | undefined
}
