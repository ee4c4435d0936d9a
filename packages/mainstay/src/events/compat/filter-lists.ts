import type { Json, JsonObject } from '../../core/json.ts'

/**
 * New filter lists. A list that is missing or null stays as it is, an array replaces it, `[]` clears it; what is
 * neither is refused.
 */
export interface FilterChanges {
  readonly eventFilters?: Json | undefined
  readonly nodeFilters?: Json | undefined
  readonly serviceFilters?: Json | undefined
}

/** The same as a filter names them. */
export function filterLists({
  eventFilters = null,
  nodeFilters = null,
  serviceFilters = null,
}: FilterChanges): JsonObject {
  return { event_filters: eventFilters, node_filters: nodeFilters, service_filters: serviceFilters }
}
