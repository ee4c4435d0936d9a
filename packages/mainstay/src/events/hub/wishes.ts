import { parseFilterQuery, type EventFilter, type FilterLimits } from '../filter/index.ts'
import { parsePolicy, type SlowPolicy } from './flow.ts'
import { parseSince, type Since } from './since.ts'

/** What a client asks for when it opens a stream. */
export interface Wishes {
  readonly since: Since
  readonly filter: EventFilter
  readonly policy: SlowPolicy
  readonly continueOnReset: boolean
}

/**
 * Reads them from a URL: `since`, `policy`, `on_reset=continue`, and the filter of R17.
 *
 * @throws BadRequestError, InvalidFilterError
 */
export function wishesOf(query: URLSearchParams, limits: FilterLimits): Wishes {
  return {
    since: parseSince(query.get('since')),
    filter: parseFilterQuery(query, limits),
    policy: parsePolicy(query.get('policy')),
    continueOnReset: query.get('on_reset') === 'continue',
  }
}
