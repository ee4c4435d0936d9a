import { errorMessage } from '../../core/errors.ts'
import { noauth2 } from '../../http/index.ts'
import { SystemRandom } from '../../core/random.ts'
import { StoredTickets } from '../../events/access/stored-tickets.ts'
import { compatEndpoint } from '../../events/compat/compat-endpoint.ts'
import type { FilterLimits } from '../../events/filter/index.ts'
import type { CloudEventOptions } from '../../events/format/cloudevents.ts'
import { ownEvent } from '../../events/own-event.ts'
import { presenceEvent, type Presence } from '../../events/presence.ts'
import { DEFAULT_STREAM_OPTIONS, type StreamOptions } from '../../events/stream-options.ts'
import { nativeFormat } from '../../events/format/native.ts'
import { NATIVE_PROTOCOL, StreamService } from '../../events/stream-service.ts'
import type { Access } from '../build-access.ts'
import type { Config } from '../config/schema.ts'
import type { Parts } from '../parts.ts'

/** The stream of events to clients, or null where this process has not the role `events`. Nothing runs yet. */
export function openStream(parts: Parts, { authenticate }: Access): StreamService | null {
  const { config, clock, ids, logger, metrics, events } = parts
  if (events === null) return null
  const { log } = events
  const options = streamOptions(config)
  const tickets = new StoredTickets(parts.store.store)
  const presence = presenceOf(parts)
  const deps = { log, clock, ids, logger, metrics, authenticate, tickets, presence, random: new SystemRandom() }
  const stream = new StreamService(deps, options)
  const compat = compatEndpoint({
    filter: options.filter,
    heartbeatSource: config.events.heartbeat_source,
    protocols: { [NATIVE_PROTOCOL]: nativeFormat },
  })
  stream.addEndpoint(compat, config.events.stream.compat_auth === 'none' ? { authenticate: noauth2 } : undefined)
  return stream
}

function streamOptions(config: Config): StreamOptions {
  const { auth } = config
  const { stream } = config.events
  return {
    hub: {
      ...DEFAULT_STREAM_OPTIONS.hub,
      softLimitBytes: stream.soft_limit_bytes,
      hardLimitBytes: stream.hard_limit_bytes,
      hardLimitFrames: stream.hard_limit_frames,
      noProgressMs: stream.no_progress_ms,
      maxBehindEvents: stream.max_behind_events,
      pageEvents: stream.page_events,
      pagesKept: stream.pages_kept,
      pageBytesKept: stream.page_bytes_kept,
      chunkBytes: stream.chunk_bytes,
      heartbeatMs: stream.heartbeat_ms,
      bookmarkMs: stream.bookmark_ms,
      expiryWarningMs: stream.expiry_warning_ms,
      drainMs: stream.drain_ms,
      reconnectSpreadMs: stream.reconnect_spread_ms,
    },
    connections: {
      perNode: stream.max_connections,
      perAddress: stream.max_connections_per_address,
      perPrincipal: stream.max_connections_per_user,
    },
    filter: filterLimits(config),
    cloudEvents: cloudEventOptions(config),
    maxMessageBytes: stream.max_message_bytes,
    messages: { limit: stream.max_messages, windowMs: stream.messages_window_ms },
    compression: stream.compression,
    sseGzip: stream.sse_gzip,
    sseRetryMs: stream.sse_retry_ms,
    pingAfterMs: stream.ping_after_ms,
    pongTimeoutMs: stream.pong_timeout_ms,
    closeTimeoutMs: stream.close_timeout_ms,
    ticketLifetimeMs: stream.ticket_lifetime_ms,
    allowedOrigins: stream.allowed_origins,
    behindProxy: stream.behind_proxy,
    anonymous: auth.strategy === 'noauth2',
    authenticationTimeoutMs: DEFAULT_STREAM_OPTIONS.authenticationTimeoutMs,
  }
}

/** How much a filter may ask, wherever it comes from. */
export function filterLimits({ events: { stream } }: Config): FilterLimits {
  return {
    textsPerList: stream.max_filter_texts,
    textLength: stream.max_filter_text_length,
    wildcards: stream.max_filter_wildcards,
  }
}

/** What CloudEvents say of where they come from. */
export function cloudEventOptions({ events: { stream } }: Config): CloudEventOptions {
  return { region: stream.cloudevents_region, typePrefix: stream.cloudevents_type_prefix }
}

/** Puts into the log who listens, where that is wanted. */
function presenceOf({ config, clock, logger, events }: Parts): Presence | undefined {
  if (events === null || !config.events.stream.presence) return undefined
  return (change, who) => {
    const nowMs = clock.now()
    const event = ownEvent(presenceEvent(change, who, nowMs), { nowMs, publisherId: events.publisherId })
    events.ingest.accept([event]).catch((error: unknown) => {
      logger.warn(`That somebody has ${change} is not in the stream: ${errorMessage(error)}`)
    })
  }
}
