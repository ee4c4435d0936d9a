import { EventStream } from './event-stream.ts'
import type { EventStreamOptions } from './options.ts'

/**
 * Opens the event stream of a server and keeps it open until it is closed.
 *
 *     for await (const event of openEventStream({ endpoint: 'http://127.0.0.1:15868' })) …
 *
 * Everything below this folder runs in Node and in browsers, without a bundler.
 *
 * @throws InvalidInputError when the endpoint is no http or https address
 */
export function openEventStream(options: EventStreamOptions): EventStream {
  return new EventStream(options)
}

export { EventStream } from './event-stream.ts'
export { StreamRefusedError } from './errors.ts'
export type { Reset, ResetReason } from './frame.ts'
export { STREAM_DEFAULTS, type EventStreamOptions, type StreamState } from './options.ts'
export { DEFAULT_RECONNECT, type ReconnectOptions, type TransportName } from './reconnect.ts'
export type { StreamFilters, StreamedEvent } from './streamed-event.ts'
export type { WebSocketConstructor, WebSocketLike } from './websocket-link.ts'
