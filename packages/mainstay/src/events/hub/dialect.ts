import type { StreamEvent } from '../stream-event.ts'
import type { ControlFrame } from './control-frame.ts'

/** The bytes of one event in one dialect; what is between `head` and `tail` differs from connection to connection. */
export interface EncodedEvent {
  readonly head: Buffer
  readonly tail: Buffer
}

/**
 * How the stream is written on a wire: a format in a transport's frames. Subscribers of one dialect share bytes: an
 * event is encoded once, and a batch of frames joined once for all who are given the same.
 *
 * Source: event-stream.md R23 … R27.
 */
export interface Dialect {
  /** `websocket` or `sse`. */
  readonly transport: string
  /** `native`, `compat`, `cloudevents`. */
  readonly format: string
  /** Whether frames carry the counter `n` (R12), so that only connections with the same count share bytes. */
  readonly counted: boolean
  encode(event: StreamEvent): EncodedEvent
  /**
   * Frames in one piece.
   *
   * @param firstN the counter of the first one
   */
  join(events: readonly EncodedEvent[], firstN: number): Buffer
  /** A frame that is no event, or undefined where the dialect has no word for it. */
  control(frame: ControlFrame): Buffer | undefined
}

/** A way out to one client. */
export interface Outlet {
  /** Bytes that were written and have not left yet. */
  readonly unsentBytes: number
  /** Bytes that have left since it was opened. */
  readonly sentBytes: number
  /** Hands bytes over without waiting. After the end it does nothing. */
  write(bytes: Uint8Array): void
  /** Says why, and ends it; what was written before is sent first, if the client takes it. */
  close(code: number, reason: string): void
}
