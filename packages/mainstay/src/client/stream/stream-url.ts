import { InvalidInputError } from '../../core/errors.ts'
import type { TransportName } from './reconnect.ts'
import type { StreamFilters } from './streamed-event.ts'

/** The names under which a filter stands in a query. Source: event-stream.md R17. */
const QUERY_NAMES = {
  event_filters: 'event',
  node_filters: 'node',
  service_filters: 'service',
  resource_ids: 'resource',
  project_ids: 'project',
  correlation_ids: 'correlation',
} as const

const LISTS = Object.keys(QUERY_NAMES) as (keyof typeof QUERY_NAMES)[]

/** A filter as a query, in the form that the stream and the history take. */
export function filterQuery(filters: StreamFilters): URLSearchParams {
  const query = new URLSearchParams()
  for (const list of LISTS) for (const text of filters[list] ?? []) query.append(QUERY_NAMES[list], text)
  const { min_severity: severity } = filters
  if (severity !== undefined && severity !== null) query.append('severity', severity)
  return query
}

/** A filter as the message that replaces the one before it: what is not set is cleared, not kept. */
export function filterMessage(filters: StreamFilters): Record<string, unknown> {
  return {
    action: 'set_filters',
    ...Object.fromEntries(LISTS.map((list) => [list, filters[list] ?? []])),
    min_severity: filters.min_severity ?? 'debug',
  }
}

/** Whether a filter lets every event pass. */
export function isUnfiltered(filters: StreamFilters): boolean {
  return filterQuery(filters).size === 0
}

const PATHS: Readonly<Record<TransportName, string>> = {
  websocket: '/v1/events/stream',
  sse: '/v1/events/sse',
}

export const TICKETS_PATH = '/v1/events/tickets'

/**
 * The server's own address, without the `/v1` of a service catalogue.
 *
 * @throws InvalidInputError when it is no http or https address
 */
export function rootOf(endpoint: string): string {
  const url = URL.parse(endpoint)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidInputError(
      `The endpoint "${endpoint}" is no http or https address. Write it as http://127.0.0.1:15868.`,
    )
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '').replace(/\/v1(\/[^/]+)?$/, '')
}

/** Where a connection goes. */
export function streamUrl(
  root: string,
  transport: TransportName,
  {
    since,
    filters,
    policy,
    ticket,
  }: {
    since: string | undefined
    filters: StreamFilters
    policy: string | undefined
    ticket: string | undefined
  },
): string {
  const query = filterQuery(filters)
  if (since !== undefined) query.append('since', since)
  query.append('on_reset', 'continue')
  if (policy !== undefined) query.append('policy', policy)
  if (ticket !== undefined) query.append('ticket', ticket)
  const base = transport === 'websocket' ? root.replace(/^http/, 'ws') : root
  return `${base}${PATHS[transport]}?${query.toString()}`
}
