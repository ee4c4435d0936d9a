import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import type { TokenSource } from '../token.ts'
import type { Reset } from './frame.ts'
import type { ReconnectOptions, TransportName } from './reconnect.ts'
import type { StreamedEvent, StreamFilters } from './streamed-event.ts'
import type { WebSocketConstructor } from './websocket-link.ts'

/** What a stream is doing. */
export type StreamState =
  | { readonly name: 'connecting'; readonly transport: TransportName }
  | {
      readonly name: 'open'
      readonly transport: TransportName
      readonly connectionId: string
      readonly resumed: boolean
    }
  /** The connection ended because of `why`; the next attempt begins in `retryMs` milliseconds. */
  | { readonly name: 'waiting'; readonly why: string; readonly retryMs: number }
  /** More waits to be read than may; it goes on by itself when there is room. */
  | { readonly name: 'paused' }
  | { readonly name: 'closed' }

export interface EventStreamOptions {
  /** Where the server listens: `http://127.0.0.1:15868`. */
  readonly endpoint: string
  /**
   * Where to begin: `latest` (what comes from now on, the default), `earliest`, a `cursor` that was kept, or an RFC 3339
   * time.
   */
  readonly since?: string | undefined
  /** Which events are wanted; all unless given. */
  readonly filters?: StreamFilters | undefined
  /** What the server does when this client is slow: `catchup` (the default), `drop` or `disconnect`. */
  readonly policy?: 'catchup' | 'drop' | 'disconnect' | undefined
  /** Gives tokens where the server asks who calls. */
  readonly tokens?: TokenSource | undefined
  /** `auto` (the default) uses a WebSocket and falls back to server-sent events. */
  readonly transport?: TransportName | 'auto' | undefined
  /**
   * Called with each event, in order. With it events are not kept for iteration. What it throws ends the stream.
   */
  readonly onEvent?: ((event: StreamedEvent) => void) | undefined
  /** History was lost, or is too old: fetch the state anew. Comes in its place between the events. */
  readonly onReset?: ((reset: Reset) => void) | undefined
  /** The server left out events because this client was slow (`policy: 'drop'` only). */
  readonly onLagged?: ((dropped: number) => void) | undefined
  readonly onState?: ((state: StreamState) => void) | undefined
  /** Ends the stream, as `close()` does. */
  readonly signal?: AbortSignal | undefined
  /** Events that may wait to be read; beyond it the connection is given up until half of them were read. */
  readonly maxWaiting?: number | undefined
  /** How long connecting may take, up to the server's first word, in milliseconds. */
  readonly connectTimeoutMs?: number | undefined
  /** The connection is given up for dead after so many heartbeats that did not come. */
  readonly deadAfterHeartbeats?: number | undefined
  readonly reconnect?: Partial<ReconnectOptions> | undefined
  /** Replaces the platform's, for example to trust a private authority. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Replaces the platform's. */
  readonly WebSocket?: WebSocketConstructor | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

/** Source: event-stream.md R40. */
export const STREAM_DEFAULTS = {
  maxWaiting: 10_000,
  connectTimeoutMs: 10_000,
  deadAfterHeartbeats: 2.5,
} as const
