import { DEFAULT_CONNECTION_LIMITS, type ConnectionLimitOptions } from './access/connection-limits.ts'
import { DEFAULT_FILTER_LIMITS, type FilterLimits } from './filter/index.ts'
import { DEFAULT_CLOUDEVENT_OPTIONS, type CloudEventOptions } from './format/cloudevents.ts'
import { DEFAULT_HUB_OPTIONS, type HubOptions } from './hub/options.ts'

/** Everything about streaming that may be set. Source of the defaults: event-stream.md 11.3 … 11.9. */
export interface StreamOptions {
  readonly hub: HubOptions
  readonly connections: ConnectionLimitOptions
  readonly filter: FilterLimits
  readonly cloudEvents: CloudEventOptions
  /** The longest message of a client, in bytes, also after inflating. */
  readonly maxMessageBytes: number
  /** How many messages a client may send in how many milliseconds. */
  readonly messages: { readonly limit: number; readonly windowMs: number }
  /** Whether WebSocket clients that offer compression get it. */
  readonly compression: boolean
  /** Whether SSE clients that take gzip get it. */
  readonly sseGzip: boolean
  /** How long a browser waits before it opens its SSE stream again. */
  readonly sseRetryMs: number
  /** Silence after which a WebSocket client is asked for a sign of life. */
  readonly pingAfterMs: number
  /** How long it may take to answer. */
  readonly pongTimeoutMs: number
  /** How long a client may take to close. */
  readonly closeTimeoutMs: number
  /** How long a ticket is good for. */
  readonly ticketLifetimeMs: number
  /** Origins whose pages may open a stream, beside the server's own. */
  readonly allowedOrigins: readonly string[]
  /** Whether a proxy stands before this server, whose word in `X-Forwarded-For` is believed. */
  readonly behindProxy: boolean
  /** Whether nobody is asked who they are. */
  readonly anonymous: boolean
  /** How long checking a token may take. */
  readonly authenticationTimeoutMs: number
}

export const DEFAULT_STREAM_OPTIONS: StreamOptions = {
  hub: DEFAULT_HUB_OPTIONS,
  connections: DEFAULT_CONNECTION_LIMITS,
  filter: DEFAULT_FILTER_LIMITS,
  cloudEvents: DEFAULT_CLOUDEVENT_OPTIONS,
  maxMessageBytes: 64 * 1024,
  messages: { limit: 20, windowMs: 10_000 },
  compression: true,
  sseGzip: false,
  sseRetryMs: 3000,
  pingAfterMs: 25_000,
  pongTimeoutMs: 10_000,
  closeTimeoutMs: 2000,
  ticketLifetimeMs: 30_000,
  allowedOrigins: [],
  behindProxy: false,
  anonymous: false,
  authenticationTimeoutMs: 10_000,
}
