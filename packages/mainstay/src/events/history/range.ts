import type { Since } from '../hub/since.ts'
import { startFrom } from '../hub/since.ts'
import type { LogExtent } from '../log.ts'
import { CursorGoneError } from './errors.ts'
import type { HistoryQuery } from './query.ts'

/** The places that are looked at: `after` < seq <= `upTo`. */
export interface Range {
  readonly after: number
  readonly upTo: number
}

/** The place before each of the times that a query names. */
export interface PlacesBefore {
  readonly since: number
  readonly until: number
}

/**
 * Which part of the log a query means.
 *
 * @throws CursorGoneError when a cursor is of another history, or events after it are no longer kept
 */
export function rangeOf(
  { since, until }: Pick<HistoryQuery, 'since' | 'until'>,
  extent: LogExtent,
  before: PlacesBefore,
): Range {
  const { head } = extent
  const start = startFrom(since, extent, { head, seqBefore: before.since })
  if (start.reset !== null) throw new CursorGoneError(start.reset, extent)
  return { after: start.position, upTo: Math.min(head, lastPlace(until, extent, before.until)) }
}

function lastPlace(until: Since | undefined, extent: LogExtent, seqBefore: number): number {
  switch (until?.kind) {
    case undefined:
    case 'latest':
      return extent.head
    case 'earliest':
      return extent.oldest - 1
    case 'time':
      return seqBefore
    case 'cursor':
      if (until.epoch !== extent.epoch) throw new CursorGoneError('epoch_changed', extent)
      return until.seq
  }
}
