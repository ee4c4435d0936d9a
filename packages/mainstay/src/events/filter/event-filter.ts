import type { Severity } from '../../core/event.ts'
import { canonicalJson } from '../../core/json.ts'
import { isSeverity } from './severity.ts'

/**
 * Which events somebody wants: all conditions that are set must hold. An empty list, or null, sets none.
 *
 * The first three lists hold plain texts or patterns (R15); an event without a node name never fits a plain node
 * filter. The others hold plain texts. The names are those of the wire.
 *
 * Source: event-stream.md section 2, R15, R16.
 */
export interface EventFilter {
  readonly event_filters: readonly string[]
  readonly node_filters: readonly string[]
  readonly service_filters: readonly string[]
  readonly min_severity: Severity | null
  readonly resource_ids: readonly string[]
  readonly project_ids: readonly string[]
  readonly correlation_ids: readonly string[]
}

/** The filter that every event passes. */
export const EVERYTHING: EventFilter = {
  event_filters: [],
  node_filters: [],
  service_filters: [],
  min_severity: null,
  resource_ids: [],
  project_ids: [],
  correlation_ids: [],
}

export const PATTERN_LISTS = ['event_filters', 'node_filters', 'service_filters'] as const
export const PLAIN_LISTS = ['resource_ids', 'project_ids', 'correlation_ids'] as const

const keys = new WeakMap<EventFilter, string>()

/** Two filters that let the same events pass, whatever the order of their lists, have the same key. */
export function filterKey(filter: EventFilter): string {
  let key = keys.get(filter)
  if (key === undefined) {
    key = makeKey(filter)
    keys.set(filter, key)
  }
  return key
}

function makeKey(filter: EventFilter): string {
  const lists = [...PATTERN_LISTS, ...PLAIN_LISTS].map((name) => [name, [...new Set(filter[name])].sort()] as const)
  const lowest = filter.min_severity === 'debug' ? null : filter.min_severity
  return canonicalJson({ ...Object.fromEntries(lists), min_severity: isSeverity(lowest) ? lowest : null })
}

/** What service filters compare: the first segment of the type. Source: event-stream.md section 2. */
export function serviceOf(eventType: string): string {
  if (eventType === '') return 'unknown'
  const dot = eventType.indexOf('.')
  return dot === -1 ? eventType : eventType.slice(0, dot)
}
