import type { Ids } from '../core/ids.ts'

const REQUEST_ID = /^req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A fresh id for one request; the response carries it. Source: ha-api.md 1.4. */
export function newRequestId(ids: Ids): string {
  return `req-${ids.random()}`
}

/** The id that the caller gave its own work, which becomes the global request id; null when it has not that form. */
export function globalRequestId(header: string | readonly string[] | undefined): string | null {
  return typeof header === 'string' && REQUEST_ID.test(header) ? header : null
}
