import { MainstayApiError } from './errors.ts'

/** What every list takes. Source: ha-api.md 5.3. */
export interface ListOptions {
  /** The most records that are wanted in all; every record unless given. */
  readonly limit?: number | undefined
  /** The most records that are asked for at once. */
  readonly pageSize?: number | undefined
  /** Columns to sort by, the first one first; `created_at` unless given. */
  readonly sortKeys?: readonly string[] | undefined
  /** `desc` (newest first) unless given. */
  readonly sortDirection?: 'asc' | 'desc' | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Page {
  readonly limit: number
  /** The id of the last record that was seen. */
  readonly marker: number | undefined
}

export const DEFAULT_PAGE_SIZE = 500

/** How many records back a marker is looked for when the last ones were deleted meanwhile. */
const MARKER_ATTEMPTS = 10

/**
 * Walks through a list page by page.
 *
 * A page may be shorter than asked for because the server has a limit of its own, so only an empty page is the end.
 * When the record that marks the place was deleted meanwhile the server refuses the marker; the record before it serves
 * as well, and what is seen twice is left out.
 *
 * @throws what `fetchPage` throws
 */
export async function* pages<T extends { readonly id: number }>(
  options: ListOptions,
  fetchPage: (page: Page) => Promise<T[]>,
): AsyncGenerator<T> {
  const { limit = Number.POSITIVE_INFINITY, pageSize = DEFAULT_PAGE_SIZE } = options
  let left = limit
  let recent: readonly number[] = []
  while (left > 0) {
    const page = await nextPage(recent, Math.min(left, pageSize), fetchPage)
    const seen = new Set(recent)
    const fresh = page.filter(({ id }) => !seen.has(id)).slice(0, left)
    if (fresh.length === 0) return
    yield* fresh
    left -= fresh.length
    recent = [...recent, ...fresh.map(({ id }) => id)].slice(-MARKER_ATTEMPTS)
  }
}

async function nextPage<T extends { readonly id: number }>(
  recent: readonly number[],
  limit: number,
  fetchPage: (page: Page) => Promise<T[]>,
): Promise<T[]> {
  // As long as every record that was seen is still known, the beginning serves as well as a marker.
  const beginning = recent.length < MARKER_ATTEMPTS ? [undefined] : []
  const markers = [...recent.toReversed(), ...beginning]
  for (const [index, marker] of markers.entries()) {
    try {
      // Records between an older marker and the refused one come again, so the page must have room for them.
      return await fetchPage({ limit: limit + index, marker })
    } catch (error) {
      const refused = error instanceof MainstayApiError && error.status === 400
      if (!refused || index === markers.length - 1) throw error
    }
  }
  return []
}
