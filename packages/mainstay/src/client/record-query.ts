import type { ListOptions, Page } from './paging.ts'
import type { Query } from './transport.ts'

/** The query parameters that all lists of the v1 API share. Source: ha-api.md 5.3. */
export function recordQuery(options: ListOptions, page: Page): Query {
  const { sortKeys, sortDirection } = options
  return {
    limit: page.limit,
    marker: page.marker,
    sort_key: sortKeys,
    // A direction is only taken together with a key, so a direction alone is given the default key.
    ...(sortDirection === undefined ? {} : { sort_key: sortKeys ?? ['created_at'], sort_dir: [sortDirection] }),
  }
}
