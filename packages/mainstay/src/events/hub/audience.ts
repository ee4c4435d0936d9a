import { inScope, scopeKey, type EventScope } from '../access/scope.ts'
import { EVERYTHING, compileFilter, filterKey, type EventFilter, type Matcher } from '../filter/index.ts'
import type { EventRecord } from './event-record.ts'
import type { Page } from './pages.ts'

/** What of a page a filter lets pass, beginning after a place, and how much of the page was looked at. */
interface Selection {
  readonly after: number
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

  /**
   * The events of a page that this audience receives, in order, at least those after a place. Who is level with the head
   * has nothing before it looked at, whatever the filter costs.
   */
  select(page: Page, after: number): readonly EventRecord[] {
    const accepts = this.#accepts
    if (accepts === undefined) return page.records
    let selection = this.#selections.get(page)
    if (selection === undefined || selection.after > after) {
      selection = { after, looked: firstAfter(page.records, after), records: [] }
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

/** The index of the first event after a place, the length when there is none. */
export function firstAfter(records: readonly EventRecord[], position: number): number {
  let [low, high] = [0, records.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (records[middle]!.event.seq > position) high = middle
    else low = middle + 1
  }
  return low
}

function combine(matcher: Matcher | undefined, scope: EventScope): Matcher | undefined {
  if (scope.all) return matcher
  return (candidate) => inScope(scope, candidate.event) && (matcher === undefined || matcher(candidate))
}

/** The key under which equal wishes meet. */
export function audienceKey(filter: EventFilter, scope: EventScope): string {
  return `${scopeKey(scope)} ${filterKey(filter)}`
}
