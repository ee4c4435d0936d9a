import { BadRequestError } from '../../http/errors.ts'
import { parseFilterQuery, type EventFilter, type FilterLimits } from '../filter/index.ts'
import { parseSince, type Since } from '../hub/since.ts'

export const MAX_LIMIT = 1000
export const DEFAULT_LIMIT = 100

/** What part of history is asked for. Source: event-stream.md R36. */
export interface HistoryQuery {
  /** Events after this place. */
  readonly since: Since
  /** Events up to and including this place; for a time, those taken in before it. Undefined: up to the newest. */
  readonly until: Since | undefined
  readonly order: 'asc' | 'desc'
  readonly limit: number
  readonly filter: EventFilter
  readonly format: 'native' | 'cloudevents'
}

const NAMES: ReadonlySet<string> = new Set(
  'since until order limit format event node service severity resource project correlation'.split(' '),
)

/**
 * Reads a query: `since` (the oldest event unless given), `until`, `order`, `limit`, `format`, and the filter of R17.
 *
 * @throws BadRequestError, InvalidFilterError
 */
export function parseHistoryQuery(query: URLSearchParams, limits?: FilterLimits): HistoryQuery {
  const strange = [...query.keys()].find((name) => !NAMES.has(name))
  if (strange !== undefined) {
    throw new BadRequestError(`There is no parameter "${strange}". The parameters are ${[...NAMES].join(', ')}.`)
  }
  const until = query.get('until')
  return {
    since: parseSince(query.get('since') ?? 'earliest'),
    until: until === null ? undefined : parseSince(until),
    order: oneOf(query, 'order', ['asc', 'desc']),
    limit: limitOf(query.get('limit')),
    filter: parseFilterQuery(query, limits),
    format: oneOf(query, 'format', ['native', 'cloudevents']),
  }
}

/** The value of a parameter, the first word when it is missing. @throws BadRequestError */
function oneOf<const Word extends string>(
  query: URLSearchParams,
  name: string,
  words: readonly [Word, ...Word[]],
): Word {
  const value = query.get(name) ?? words[0]
  const found = words.find((word) => word === value)
  if (found === undefined) throw new BadRequestError(`${name} must be one of ${words.join(', ')}, not "${value}".`)
  return found
}

function limitOf(text: string | null): number {
  if (text === null) return DEFAULT_LIMIT
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > MAX_LIMIT) {
    throw new BadRequestError(`limit must be a whole number from 1 to ${MAX_LIMIT}, not "${text}".`)
  }
  return limit
}
