import { filterKey, type EventFilter } from './event-filter.ts'
import { compileFilter, type Matcher } from './match.ts'

/** A filter that any number of subscribers share: an event is held against it once. */
export interface InternedFilter {
  readonly key: string
  readonly filter: EventFilter
  readonly matcher: Matcher
}

/** Keeps one of each filter for as long as somebody uses it. Source: event-stream.md R18. */
export class InternedFilters {
  readonly #known = new Map<string, { interned: InternedFilter; users: number }>()

  /** How many distinct filters are in use. */
  get size(): number {
    return this.#known.size
  }

  /** Takes a filter into use; {@link InternedFilters.release} ends that. */
  acquire(filter: EventFilter): InternedFilter {
    const key = filterKey(filter)
    let entry = this.#known.get(key)
    if (entry === undefined) {
      entry = { interned: { key, filter, matcher: compileFilter(filter) }, users: 0 }
      this.#known.set(key, entry)
    }
    entry.users += 1
    return entry.interned
  }

  release({ key }: InternedFilter): void {
    const entry = this.#known.get(key)
    if (entry === undefined) return
    entry.users -= 1
    if (entry.users === 0) this.#known.delete(key)
  }
}
