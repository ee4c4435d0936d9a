import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts'
import type { StreamedEvent } from './streamed-event.ts'

/** Why a client's place in the stream is no longer good. Source: event-stream.md R11. */
export type ResetReason = 'cursor_expired' | 'cursor_ahead' | 'epoch_changed'

/** The first frame of a connection. Source: event-stream.md R9. */
export interface Hello {
  readonly connectionId: string
  readonly epoch: string
  /** The place of the newest event. */
  readonly head: number
  /** The place of the oldest event that can still be had. */
  readonly oldest: number
  /** Whether the connection goes on where an earlier one ended. */
  readonly resumed: boolean
  /** Events after this place follow. */
  readonly cursor: string
  /** How often an idle server says something, in milliseconds. */
  readonly heartbeatMs: number
  /** Whether every event that passes the filter is shown, or only those of some projects. */
  readonly complete: boolean
}

/** The place that was asked for is not there any more: what was known of the state has to be fetched again. */
export interface Reset {
  readonly reason: ResetReason
  /** The place of the oldest event that can still be had. */
  readonly oldest: number
  readonly head: number
  readonly epoch: string
  /** Where the stream goes on. */
  readonly cursor: string
}

/** Everything that a server sends, as far as this client understands it. */
export type Frame =
  | { readonly kind: 'event'; readonly event: StreamedEvent; readonly n: number | null }
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'reset'; readonly reset: Reset }
  | { readonly kind: 'place'; readonly cursor: string }
  | { readonly kind: 'lagged'; readonly dropped: number; readonly to: number }
  | { readonly kind: 'draining'; readonly reconnectAfterMs: number }
  | { readonly kind: 'token-expiring' }
  /** What a WebSocket says when it is closed, over a transport that cannot. */
  | { readonly kind: 'close'; readonly code: number; readonly reason: string }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }
  /** A sign of life and no more; also everything that a newer server may say. */
  | { readonly kind: 'other' }

const OTHER: Frame = { kind: 'other' }

/**
 * Reads one frame.
 *
 * @throws InvalidInputError when the text is not JSON
 */
export function readFrame(text: string): Frame {
  const value = parseJson(text, 'A frame of the event stream')
  if (!isJsonObject(value)) return OTHER
  const { type } = value
  if (typeof value['seq'] === 'number' && typeof value['event_type'] === 'string') {
    const { n, ...event } = value
    return { kind: 'event', event: event as unknown as StreamedEvent, n: typeof n === 'number' ? n : null }
  }
  return typeof type === 'string' ? readControl(type, value) : OTHER
}

function readControl(type: string, value: JsonObject): Frame {
  switch (type) {
    case 'hello':
      return { kind: 'hello', hello: readHello(value) }
    case 'reset':
      return { kind: 'reset', reset: readReset(value) }
    case 'bookmark':
    case 'heartbeat': {
      const cursor = textOf(value, 'cursor')
      return cursor === '' ? OTHER : { kind: 'place', cursor }
    }
    case 'lagged':
      return { kind: 'lagged', dropped: numberOf(value, 'dropped', 0), to: numberOf(value, 'to', 0) }
    case 'draining':
      return { kind: 'draining', reconnectAfterMs: numberOf(value, 'reconnect_after_ms', 0) }
    case 'expiring':
      return { kind: 'token-expiring' }
    case 'close':
      return { kind: 'close', code: numberOf(value, 'code', 1000), reason: textOf(value, 'reason') }
    case 'error':
      return { kind: 'error', code: textOf(value, 'code'), message: textOf(value, 'message') }
    default:
      return OTHER
  }
}

const DEFAULT_HEARTBEAT_MS = 25_000

function readHello(value: JsonObject): Hello {
  const head = numberOf(value, 'head', 0)
  const epoch = textOf(value, 'epoch')
  return {
    connectionId: textOf(value, 'connection_id'),
    epoch,
    head,
    oldest: numberOf(value, 'oldest', 1),
    resumed: value['resumed'] === true,
    cursor: textOf(value, 'cursor') || `${epoch}:${head}`,
    heartbeatMs: numberOf(value, 'heartbeat_ms', DEFAULT_HEARTBEAT_MS),
    complete: value['scope'] === 'all',
  }
}

function readReset(value: JsonObject): Reset {
  const oldest = numberOf(value, 'oldest', 1)
  const epoch = textOf(value, 'epoch')
  return {
    reason: (textOf(value, 'reason') || 'cursor_expired') as ResetReason,
    oldest,
    head: numberOf(value, 'head', 0),
    epoch,
    cursor: textOf(value, 'cursor') || `${epoch}:${Math.max(0, oldest - 1)}`,
  }
}

function numberOf(value: JsonObject, name: string, fallback: number): number {
  const member = value[name]
  return typeof member === 'number' && Number.isFinite(member) ? member : fallback
}

function textOf(value: JsonObject, name: string): string {
  const member = value[name]
  return typeof member === 'string' ? member : ''
}
