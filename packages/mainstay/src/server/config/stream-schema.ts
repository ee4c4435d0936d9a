import { Type } from 'typebox'

import { DEFAULT_STREAM_OPTIONS as STREAM } from '../../events/stream-options.ts'
import { closed, count, flag, text, words } from './option-kinds.ts'

const { hub, connections, filter, cloudEvents } = STREAM

/** The stream of events to clients: WebSocket and SSE. */
export const StreamSection = Type.Object(
  {
    allowed_origins: words(
      'Origins whose pages may open a stream beside those of this server, for example https://ui.example.org',
      STREAM.allowedOrigins,
    ),
    compat_auth: Type.Union([Type.Literal('token'), Type.Literal('none')], {
      description:
        'Whether clients of /v1/events/openstack prove who they are; with none, everybody who reaches it sees all events.',
      default: 'token',
    }),
    behind_proxy: flag(
      'A proxy stands before this server: the last word of X-Forwarded-For is where a client is.',
      STREAM.behindProxy,
    ),
    ticket_lifetime_ms: count('How long a ticket is good for.', STREAM.ticketLifetimeMs, 1),
    max_connections: count('The most connections of this node.', connections.perNode, 1),
    max_connections_per_address: count('The most of one address.', connections.perAddress, 1),
    max_connections_per_user: count('The most of one user.', connections.perPrincipal, 1),
    max_message_bytes: count('The longest message of a client, also after inflating.', STREAM.maxMessageBytes, 125),
    max_messages: count('The most messages that a client may send in messages_window_ms.', STREAM.messages.limit, 1),
    messages_window_ms: count('The time in which they are counted.', STREAM.messages.windowMs, 1),
    max_filter_texts: count('The most texts in one list of a filter.', filter.textsPerList, 1),
    max_filter_text_length: count('The most letters of one of them.', filter.textLength, 1),
    max_filter_wildcards: count('The most wildcards of a filter in all.', filter.wildcards),
    soft_limit_bytes: count('Unsent bytes above which a client is not given more.', hub.softLimitBytes, 1024),
    hard_limit_bytes: count('Unsent bytes at which policy=disconnect closes.', hub.hardLimitBytes, 1024),
    hard_limit_frames: count('Unsent events at which it closes as well.', hub.hardLimitFrames, 1),
    no_progress_ms: count('How long a client may take nothing of what waits for it.', hub.noProgressMs, 1),
    max_behind_events: count('How far a client may fall behind.', hub.maxBehindEvents, 1),
    page_events: count('Events that are read from the log in one go.', hub.pageEvents, 1),
    pages_kept: count('Pages of the log that are kept in memory for clients that are behind.', hub.pagesKept, 1),
    page_bytes_kept: count('Bytes of events that they may hold.', hub.pageBytesKept, 1024),
    chunk_bytes: count('The most that is written to a client in one go.', hub.chunkBytes, 1024),
    heartbeat_ms: count('After what silence a heartbeat is sent.', hub.heartbeatMs, 1),
    bookmark_ms: count('How often a client that receives nothing learns its cursor.', hub.bookmarkMs, 1),
    expiry_warning_ms: count('How long before its token expires a client is told.', hub.expiryWarningMs),
    ping_after_ms: count('After what silence a WebSocket client is pinged.', STREAM.pingAfterMs, 1),
    pong_timeout_ms: count('How long it may take to answer.', STREAM.pongTimeoutMs, 1),
    close_timeout_ms: count('How long a client may take to close.', STREAM.closeTimeoutMs, 1),
    drain_ms: count('How long clients may take what is left when the node goes down.', hub.drainMs),
    reconnect_spread_ms: count('They are told to wait up to so long before they come back.', hub.reconnectSpreadMs),
    compression: flag('Whether WebSocket clients that offer permessage-deflate get it.', STREAM.compression),
    sse_gzip: flag('Whether SSE clients that take gzip get it; it costs work for each of them.', STREAM.sseGzip),
    sse_retry_ms: count('How long a browser waits before it opens its SSE stream again.', STREAM.sseRetryMs),
    presence: flag('Whether the stream tells who begins and ends to listen, in events of its own.', false),
    cloudevents_region: text('The second part of the source of CloudEvents.', cloudEvents.region),
    cloudevents_type_prefix: text(
      'Stands before the type of CloudEvents; {source} is openstack or mainstay.',
      cloudEvents.typePrefix,
    ),
  },
  { ...closed, default: {} },
)
