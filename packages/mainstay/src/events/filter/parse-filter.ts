import { MainstayError } from '../../core/errors.ts'
import { isJsonObject, toJson, type Json, type JsonObject } from '../../core/json.ts'
import { EVERYTHING, PATTERN_LISTS, PLAIN_LISTS, type EventFilter } from './event-filter.ts'
import { countWildcards } from './pattern.ts'
import { SEVERITIES, isSeverity, severityRank } from './severity.ts'

/** A filter is not of the form that was agreed; the one that held before still holds. */
export class InvalidFilterError extends MainstayError {
  readonly code = 'MS_EVENT_FILTER'
  readonly status = 400
  readonly retryable = false
}

/** How much a client may ask of a filter. Source: event-stream.md 11.9. */
export interface FilterLimits {
  readonly textsPerList: number
  /** Letters of one text. */
  readonly textLength: number
  /** Wildcards of all lists together. */
  readonly wildcards: number
}

export const DEFAULT_FILTER_LIMITS: FilterLimits = { textsPerList: 64, textLength: 256, wildcards: 32 }

/**
 * Reads a filter that a client sent. A member that is missing or null keeps what `base` says, `[]` clears its list;
 * members that belong to no filter are not looked at.
 *
 * @param base what held before; by default a filter that lets everything pass
 * @throws InvalidFilterError
 */
export function parseFilter(
  value: Json,
  { limits = DEFAULT_FILTER_LIMITS, base = EVERYTHING }: { limits?: FilterLimits; base?: EventFilter } = {},
): EventFilter {
  if (!isJsonObject(value)) {
    throw new InvalidFilterError('A filter is an object, for example {"event_filters":["baremetal.**"]}.')
  }
  const lists = [...PATTERN_LISTS, ...PLAIN_LISTS].map(
    (name) => [name, listOf(value, name, limits) ?? base[name]] as const,
  )
  const filter: EventFilter = {
    ...base,
    ...Object.fromEntries(lists),
    min_severity: severityOf(value) ?? base.min_severity,
  }
  return withinLimits(filter, limits)
}

/** The names of the query that SSE and history take, and what they fill (R17). */
const QUERY_NAMES = {
  event: 'event_filters',
  node: 'node_filters',
  service: 'service_filters',
  resource: 'resource_ids',
  project: 'project_ids',
  correlation: 'correlation_ids',
} as const

/**
 * Reads a filter from a query: `event=`, `node=`, `service=`, `resource=`, `project=`, `correlation=`, each as often as
 * wanted, and `severity=`, of which the lowest counts.
 *
 * Source: event-stream.md R17.
 *
 * @throws InvalidFilterError
 */
export function parseFilterQuery(query: URLSearchParams, limits: FilterLimits = DEFAULT_FILTER_LIMITS): EventFilter {
  if (query.size === 0) return EVERYTHING
  const lists = Object.entries(QUERY_NAMES).map(([name, list]) => [list, query.getAll(name)] as const)
  const severities = query.getAll('severity')
  const lowest = severities.map((severity) => severityOf({ min_severity: severity })!)
  lowest.sort((a, b) => severityRank(a) - severityRank(b))
  return parseFilter({ ...Object.fromEntries(lists), min_severity: lowest[0] ?? null }, { limits })
}

/** The same filter as a query, for links and for clients that cannot send a message. */
export function filterQuery(filter: EventFilter): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, list] of Object.entries(QUERY_NAMES)) {
    for (const text of filter[list]) query.append(name, text)
  }
  if (filter.min_severity !== null) query.append('severity', filter.min_severity)
  return query
}

function listOf(value: JsonObject, name: string, { textsPerList, textLength }: FilterLimits): string[] | undefined {
  const list = value[name] ?? null
  if (list === null) return undefined
  if (!Array.isArray(list)) {
    throw new InvalidFilterError(`${name} must be an array of texts, not ${shortly(list)}. Send [] to clear it.`)
  }
  if (list.length > textsPerList) {
    throw new InvalidFilterError(`${name} has ${list.length} texts; ${textsPerList} are allowed. Use patterns.`)
  }
  return list.map((text: Json) => {
    if (typeof text !== 'string') {
      throw new InvalidFilterError(`${name} must hold texts only, not ${shortly(text)}.`)
    }
    if (text.length > textLength) {
      throw new InvalidFilterError(`${name} has a text of ${text.length} letters; ${textLength} are allowed.`)
    }
    return text
  })
}

function severityOf({ min_severity: severity = null }: JsonObject): EventFilter['min_severity'] {
  if (severity === null) return null
  if (!isSeverity(severity)) {
    throw new InvalidFilterError(`The severity must be one of ${SEVERITIES.join(', ')}, not ${shortly(severity)}.`)
  }
  return severity
}

function withinLimits(filter: EventFilter, { wildcards: allowed }: FilterLimits): EventFilter {
  const wildcards = PATTERN_LISTS.flatMap((name) => filter[name]).reduce((sum, text) => sum + countWildcards(text), 0)
  if (wildcards > allowed) {
    throw new InvalidFilterError(`The filter has ${wildcards} wildcards in all; ${allowed} are allowed.`)
  }
  return filter
}

function shortly(value: Json): string {
  const text = toJson(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
