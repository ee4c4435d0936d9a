export { EVERYTHING, filterKey, serviceOf, type EventFilter } from './event-filter.ts'
export { candidate, compileFilter, matches, type Candidate, type FilteredEvent, type Matcher } from './match.ts'
export {
  DEFAULT_FILTER_LIMITS,
  InvalidFilterError,
  filterQuery,
  parseFilter,
  parseFilterQuery,
  type FilterLimits,
} from './parse-filter.ts'
export { SEVERITIES, isSeverity, severityRank } from './severity.ts'
