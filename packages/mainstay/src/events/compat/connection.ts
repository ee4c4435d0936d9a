import { DEFAULT_FILTER_LIMITS, EVERYTHING, matches, parseFilter, type FilterLimits } from '../filter/index.ts'
import type { EventMessage } from './event-message.ts'
import { filterLists, type FilterChanges } from './filter-lists.ts'

/** What messages of the compatible stream do not have, and its filters do not ask for. */
const NOT_ASKED = { severity: 'info', resource_id: null, project_id: null, correlation_id: null } as const

/**
 * One client of the compatible stream and what it wants to see: the filters of the native stream, reduced to three lists.
 *
 * Source: event-stream.md section 2.
 */
export class Connection {
  readonly #limits: FilterLimits
  #filter = EVERYTHING
  /** Messages that were handed to the socket and have not been taken yet. */
  unsentMessages = 0

  constructor(limits: FilterLimits = DEFAULT_FILTER_LIMITS) {
    this.#limits = limits
  }

  get eventFilters(): readonly string[] {
    return this.#filter.event_filters
  }

  get nodeFilters(): readonly string[] {
    return this.#filter.node_filters
  }

  get serviceFilters(): readonly string[] {
    return this.#filter.service_filters
  }

  /** @throws InvalidFilterError; the filters are then as they were */
  update(changes: FilterChanges): void {
    this.#filter = parseFilter(filterLists(changes), { base: this.#filter, limits: this.#limits })
  }

  matches({ event_type, node_name }: Pick<EventMessage, 'event_type' | 'node_name'>): boolean {
    return matches(this.#filter, { ...NOT_ASKED, event_type, node_name })
  }
}
