import { BadRequestError } from '../../http/errors.ts'

/** The query of a list, in the order in which its parts are checked. Source: ha-api.md 5.3. Pure. */

export type Direction = 'asc' | 'desc'

export interface SortTerm {
  readonly column: string
  readonly direction: Direction
}

/** Which part of a list is wanted. */
export interface Page {
  readonly limit: number
  /** Integer id of the last record seen, as the client wrote it; null for the first page. */
  readonly marker: string | null
  readonly sortKeys: readonly string[]
  readonly sortDirections: readonly Direction[]
}

const INTEGER = /^[+-]?\d+(?:_\d+)*$/

/** The value of a parameter without the white space around it; the last one of several wins. */
export function lastValue(query: URLSearchParams, name: string): string | null {
  return query.getAll(name).at(-1)?.trim() ?? null
}

/** The value of a filter as it was sent; the last one of several wins. */
export function filterValue(query: URLSearchParams, name: string): string | null {
  return query.getAll(name).at(-1) ?? null
}

/** @throws BadRequestError when `limit` or `page_size` is no integer or negative */
export function readLimit(query: URLSearchParams, maxLimit: number): number {
  const limit = nonNegative(query, 'limit') ?? maxLimit
  nonNegative(query, 'page_size')
  return Math.min(limit, maxLimit)
}

/** @throws BadRequestError when a direction is unknown or there are more directions than keys */
export function readPage(query: URLSearchParams, limit: number): Page {
  const sortKeys = orDefault(query.getAll('sort_key'), 'created_at')
  const directions = orDefault(query.getAll('sort_dir'), 'desc')
  const unknown = directions.find((direction) => direction !== 'asc' && direction !== 'desc')
  if (unknown !== undefined) {
    throw new BadRequestError(`Unknown sort direction '${unknown}', must be 'asc' or 'desc'.`)
  }
  if (directions.length > sortKeys.length) {
    throw new BadRequestError('Sort direction size exceeds sort key size.')
  }
  return {
    limit,
    marker: lastValue(query, 'marker'),
    sortKeys,
    sortDirections: directions.map((direction) => (direction === 'asc' ? 'asc' : 'desc')),
  }
}

/**
 * What a page is sorted by: the given keys, then `created_at` and `id` as tie-breakers, in the first given direction.
 *
 * @throws BadRequestError when a key is no column
 */
export function sortTerms(page: Page, columns: readonly string[]): SortTerm[] {
  const first = page.sortDirections[0] ?? 'desc'
  const keys = [...page.sortKeys, ...['created_at', 'id'].filter((name) => !page.sortKeys.includes(name))]
  return keys.map((column, index) => {
    if (!columns.includes(column)) {
      throw new BadRequestError(`Sort key '${column}' is not valid. Use one of: ${columns.join(', ')}.`)
    }
    return { column, direction: page.sortDirections[index] ?? first }
  })
}

function nonNegative(query: URLSearchParams, name: string): number | undefined {
  const text = lastValue(query, name)
  if (text === null) return undefined
  if (!INTEGER.test(text)) throw new BadRequestError(`The parameter ${name} must be an integer; it is '${text}'.`)
  const value = Number(text.replaceAll('_', ''))
  if (value < 0) throw new BadRequestError(`The parameter ${name} must not be negative; it is '${text}'.`)
  return value
}

function orDefault(values: readonly string[], fallback: string): string[] {
  const trimmed = values.map((value) => value.trim())
  return trimmed.length === 0 ? [fallback] : trimmed
}
