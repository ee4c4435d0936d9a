import type { StreamEvent } from '../stream-event.ts'
import { serviceOf, type EventFilter } from './event-filter.ts'
import { compileEventPattern, globMatches, isPattern } from './pattern.ts'
import { severityRank } from './severity.ts'

/** What filters look at. */
export type FilteredEvent = Pick<
  StreamEvent,
  'event_type' | 'node_name' | 'severity' | 'resource_id' | 'project_id' | 'correlation_id'
>

/** An event prepared to be held against many filters. */
export interface Candidate {
  readonly event: FilteredEvent
  readonly service: string
  readonly segments: readonly string[]
  readonly rank: number
}

export function candidate(event: FilteredEvent): Candidate {
  return {
    event,
    service: serviceOf(event.event_type),
    segments: event.event_type.split('.'),
    rank: severityRank(event.severity),
  }
}

export type Matcher = (candidate: Candidate) => boolean

/** Prepares a filter to be held against many events. */
export function compileFilter(filter: EventFilter): Matcher {
  const conditions = [
    eventCondition(filter.event_filters),
    textCondition(filter.node_filters, ({ event }) => event.node_name),
    textCondition(filter.service_filters, ({ service }) => service),
    severityCondition(filter),
    memberCondition(filter.resource_ids, ({ event }) => event.resource_id),
    memberCondition(filter.project_ids, ({ event }) => event.project_id),
    memberCondition(filter.correlation_ids, ({ event }) => event.correlation_id),
  ].filter((condition) => condition !== undefined)
  return (each) => {
    for (const condition of conditions) if (!condition(each)) return false
    return true
  }
}

const compiled = new WeakMap<EventFilter, Matcher>()

/** Whether an event passes a filter. Source: event-stream.md section 2, R15, R16. */
export function matches(filter: EventFilter, event: FilteredEvent): boolean {
  let matcher = compiled.get(filter)
  if (matcher === undefined) {
    matcher = compileFilter(filter)
    compiled.set(filter, matcher)
  }
  return matcher(candidate(event))
}

function eventCondition(list: readonly string[]): Matcher | undefined {
  return listCondition(list, ({ event }) => event.event_type, {
    prepare: (pattern) => {
      const covers = compileEventPattern(pattern)
      return ({ segments }) => covers(segments)
    },
  })
}

function textCondition(list: readonly string[], textOf: (each: Candidate) => string | null): Matcher | undefined {
  return listCondition(list, textOf, {
    prepare: (pattern) => (each) => {
      const text = textOf(each)
      return text !== null && globMatches(pattern, text)
    },
  })
}

/**
 * One list of plain texts and patterns: a positive one must fit, where there is any, and no negative one may. A text
 * that is null fits nothing.
 */
function listCondition(
  list: readonly string[],
  textOf: (each: Candidate) => string | null,
  { prepare }: { prepare: (pattern: string) => Matcher },
): Matcher | undefined {
  if (list.length === 0) return undefined
  const positive = list.filter((text) => !text.startsWith('!'))
  const negative = list.filter((text) => text.startsWith('!')).map((text) => text.slice(1))
  const wanted = anyOf(positive, textOf, prepare)
  const unwanted = anyOf(negative, textOf, prepare)
  return (each) => (positive.length === 0 || wanted(each)) && !unwanted(each)
}

function anyOf(
  texts: readonly string[],
  textOf: (each: Candidate) => string | null,
  prepare: (pattern: string) => Matcher,
): Matcher {
  const exact = new Set(texts.filter((text) => !isPattern(text)))
  const patterns = texts.filter((text) => isPattern(text)).map(prepare)
  return (each) => {
    const text = textOf(each)
    if (text !== null && exact.has(text)) return true
    for (const fits of patterns) if (fits(each)) return true
    return false
  }
}

function severityCondition({ min_severity: lowest }: EventFilter): Matcher | undefined {
  if (lowest === null) return undefined
  const rank = severityRank(lowest)
  return (each) => each.rank >= rank
}

function memberCondition(list: readonly string[], idOf: (each: Candidate) => string | null): Matcher | undefined {
  if (list.length === 0) return undefined
  const ids = new Set(list)
  return (each) => {
    const id = idOf(each)
    return id !== null && ids.has(id)
  }
}
