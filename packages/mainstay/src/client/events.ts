import type { JsonObject } from '../core/json.ts'
import { unwrapBare, unwrapList } from './body.ts'
import { filterQuery } from './stream/stream-url.ts'
import type { StreamFilters, StreamedEvent } from './stream/streamed-event.ts'
import type { CallOptions, Query, Transport } from './transport.ts'

export const EVENTS_PATH = '/v1/events'

/** The most events of one answer. Source: event-stream.md R36. */
const MAX_PAGE = 1000

export interface HistoryOptions extends CallOptions {
  /** Events after this: `earliest` (the default), a cursor, or an RFC 3339 time. */
  readonly since?: string | undefined
  /** Events up to this: a cursor, or an RFC 3339 time. */
  readonly until?: string | undefined
  /** `asc` (the oldest first) unless given. */
  readonly order?: 'asc' | 'desc' | undefined
  readonly filters?: StreamFilters | undefined
  /** The most events that are wanted in all; every event unless given. */
  readonly limit?: number | undefined
}

/** Somebody who listens to the stream. Source: event-stream.md R37. */
export interface StreamConnection {
  readonly id: string
  readonly principal: string | null
  readonly address: string
  readonly transport: string
  readonly format: string
  readonly since: string
  readonly filters: StreamFilters
  readonly projects: readonly string[] | null
  readonly policy: string
  readonly state: string
  readonly cursor: string
  readonly lag: { readonly events: number; readonly bytes: number }
  readonly sent: number
  readonly dropped: number
}

/** Calls on events of the past and on who listens. They throw what `Transport.send` throws. */
export class Events {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /**
   * Events of the past that match, page by page.
   *
   * @throws MainstayApiError with status 410 when `since` is a cursor that is no longer good
   */
  async *history({
    since,
    until,
    order,
    filters = {},
    limit,
    signal,
  }: HistoryOptions = {}): AsyncGenerator<StreamedEvent> {
    let left = limit ?? Number.POSITIVE_INFINITY
    let place: Query = { since, until }
    while (left > 0) {
      const query = { ...queryOf(filters), ...place, order, limit: Math.min(left, MAX_PAGE) }
      const path = `${EVENTS_PATH}/history`
      const answer = await this.#transport.send({ method: 'GET', api: 'root', path, query, signal })
      const events = unwrapList(answer, 'events', `GET ${path}`) as StreamedEvent[]
      yield* events
      left -= events.length
      const { next_cursor: next } = answer.body as JsonObject
      if (typeof next !== 'string') return
      place = order === 'desc' ? { since, until: next } : { since: next, until }
    }
  }

  /** One event by its id. */
  async show(id: string, options: CallOptions = {}): Promise<StreamedEvent> {
    const path = `${EVENTS_PATH}/${encodeURIComponent(id)}`
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path, ...options })
    return unwrapBare(answer, `GET ${path}`) as StreamedEvent
  }

  /** Who listens on the node that answers. */
  async connections(options: CallOptions = {}): Promise<StreamConnection[]> {
    const path = CONNECTIONS
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path, ...options })
    return unwrapList(answer, 'connections', `GET ${path}`) as StreamConnection[]
  }

  /** Ends a connection; its client is told not to come back. */
  async closeConnection(id: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.delete({ method: 'DELETE', api: 'root', path: connectionPath(id), ...options })
  }
}

const CONNECTIONS = `${EVENTS_PATH}/connections`

/** The path of a connection, below the root. */
export function connectionPath(id: string): string {
  return `${CONNECTIONS}/${encodeURIComponent(id)}`
}

function queryOf(filters: StreamFilters): Query {
  const query = filterQuery(filters)
  return Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)]))
}
