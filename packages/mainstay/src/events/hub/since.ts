import { parseTimestamp } from '../../core/timestamp.ts'
import { BadRequestError } from '../../http/errors.ts'
import type { LogExtent } from '../log.ts'
import type { ResetReason } from './control-frame.ts'

/** Where a client wants the stream to begin. Source: event-stream.md 11.3. */
export type Since =
  | { readonly kind: 'latest' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'cursor'; readonly epoch: string; readonly seq: number }
  | { readonly kind: 'time'; readonly epochMs: number }

const CURSOR = /^(.{1,128}):(0|[1-9]\d{0,15})$/

/**
 * Reads `since`: nothing or `latest`, `earliest`, a cursor, or an RFC 3339 time.
 *
 * @throws BadRequestError
 */
export function parseSince(text: string | null): Since {
  if (text === null || text === '' || text === 'latest') return { kind: 'latest' }
  if (text === 'earliest') return { kind: 'earliest' }
  // In a query, the plus of an offset arrives as a space.
  const epochMs = /^\d{4}-\d{2}-\d{2}T/i.test(text) ? parseTimestamp(text.replace(' ', '+')) : undefined
  if (epochMs !== undefined) return { kind: 'time', epochMs }
  const match = CURSOR.exec(text)
  const seq = Number(match?.[2])
  if (match === null || !Number.isSafeInteger(seq)) {
    throw new BadRequestError(
      'since must be "latest", "earliest", a cursor that the stream has given, or a time such as 2026-01-31T12:00:00Z.',
    )
  }
  return { kind: 'cursor', epoch: match[1]!, seq }
}

/** Where a stream begins, and what must be said about it. */
export interface Start {
  /** Everything after this place is sent. */
  readonly position: number
  /** Set when what was asked for is gone: the client must fetch the state anew. */
  readonly reset: ResetReason | null
  readonly resumed: boolean
  readonly replays: boolean
}

/**
 * Where to begin in a log of which so much is left.
 *
 * Source: event-stream.md R10, R11.
 *
 * @param head the last event that this node shows; the log may already hold more
 * @param seqBefore the place before a time, for a `since` that is one
 */
export function startFrom(
  since: Since,
  extent: LogExtent,
  { head, seqBefore }: { head: number; seqBefore: number },
): Start {
  const from = (position: number): Start => ({ position, reset: null, resumed: false, replays: true })
  switch (since.kind) {
    case 'latest':
      return { position: head, reset: null, resumed: false, replays: false }
    case 'earliest':
      return from(extent.oldest - 1)
    case 'time':
      return from(Math.max(seqBefore, extent.oldest - 1))
    case 'cursor': {
      const reset = reasonToReset(since, extent)
      if (reset !== null) return { ...from(extent.oldest - 1), reset }
      return { position: since.seq, reset: null, resumed: true, replays: true }
    }
  }
}

function reasonToReset({ epoch, seq }: { epoch: string; seq: number }, extent: LogExtent): ResetReason | null {
  if (epoch !== extent.epoch) return 'epoch_changed'
  if (seq > extent.head) return 'cursor_ahead'
  return seq < extent.oldest - 1 ? 'cursor_expired' : null
}
