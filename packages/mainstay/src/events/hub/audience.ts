import { inScope, scopeKey, type EventScope } from '../access/scope.ts'
import { EVERYTHING, compileFilter, filterKey, type EventFilter, type Matcher } from '../filter/index.ts'
import type { EventRecord } from './event-record.ts'
import type { Page } from './pages.ts'

/** What of a page a filter lets pass, and how much of the page was looked at. */
interface Selection {
  looked: number
  readonly records: EventRecord[]
}

/**
 * All who want the same and may see the same: an event is held against their filter once.
 *
 * Source: event-stream.md R18, R31.
 */
export class Audience {
  readonly key: string
  readonly filter: EventFilter
  readonly scope: EventScope
  readonly #accepts: Matcher | undefined
  readonly #selections = new WeakMap<Page, Selection>()

  constructor(key: string, filter: EventFilter, scope: EventScope) {
    this.key = key
    this.filter = filter
    this.scope = scope
    const matcher = filterKey(filter) === filterKey(EVERYTHING) ? undefined : compileFilter(filter)
    this.#accepts = combine(matcher, scope)
  }

  /** The events of a page that this audience receives, in order. */
  select(page: Page): readonly EventRecord[] {
    const accepts = this.#accepts
    if (accepts === undefined) return page.records
    let selection = this.#selections.get(page)
    if (selection === undefined) {
      selection = { looked: 0, records: [] }
      this.#selections.set(page, selection)
    }
    while (selection.looked < page.records.length) {
      const record = page.records[selection.looked]!
      selection.looked += 1
      if (accepts(record.candidate)) selection.records.push(record)
    }
    return selection.records
  }
}

function combine(matcher: Matcher | undefined, scope: EventScope): Matcher | undefined {
  if (scope.all) return matcher
  return (candidate) => inScope(scope, candidate.event) && (matcher === undefined || matcher(candidate))
}

/** The key under which equal wishes meet. */
export function audienceKey(filter: EventFilter, scope: EventScope): string {
  return `${scopeKey(scope)} ${filterKey(filter)}`
}
