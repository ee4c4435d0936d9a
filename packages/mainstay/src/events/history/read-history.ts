import { inScope, type EventScope } from '../access/scope.ts'
import { candidate, compileFilter } from '../filter/index.ts'
import type { EventLog, LogExtent } from '../log.ts'
import type { StreamEvent } from '../stream-event.ts'
import { CursorGoneError } from './errors.ts'
import type { HistoryQuery } from './query.ts'
import { rangeOf, type Range } from './range.ts'

export interface HistoryLimits {
  /** Events that are read from the log in one go. */
  readonly pageEvents: number
  /** Events that one request looks at; a filter may let few of them pass. */
  readonly scanEvents: number
  /** Text of one answer, in characters. */
  readonly answerLength: number
}

export const DEFAULT_HISTORY_LIMITS: HistoryLimits = {
  pageEvents: 500,
  scanEvents: 50_000,
  answerLength: 8 * 1024 * 1024,
}

export interface HistoryPage {
  /** The events that were found, each as it was formatted, in the order that was asked for. */
  readonly texts: readonly string[]
  /**
   * Where to go on: `since` of the next question, with `order=desc` its `until`. Null when there is nothing more.
   * A page may be shorter than the limit, even empty, and still not be the last one.
   */
  readonly nextCursor: string | null
  readonly extent: LogExtent
}

export interface HistoryAsked {
  readonly query: HistoryQuery
  readonly scope: EventScope
  readonly format: (event: StreamEvent) => string
  readonly limits: HistoryLimits
  readonly signal: AbortSignal
}

/**
 * Reads one page of history.
 *
 * Source: event-stream.md R31, R36.
 *
 * @throws CursorGoneError, EventLogUnavailableError
 */
export async function readHistory(log: EventLog, asked: HistoryAsked): Promise<HistoryPage> {
  const { query, scope, format, limits } = asked
  const { since, until, order, limit } = query
  const extent = await log.extent()
  const before = {
    since: since.kind === 'time' ? await log.seqBefore(since) : 0,
    until: until?.kind === 'time' ? await log.seqBefore(until) : 0,
  }
  const range = rangeOf(query, extent, before)
  const accepts = compileFilter(query.filter)
  const texts: string[] = []
  let [length, looked] = [0, 0]
  // Where the next page begins, should this be the last event that is looked at.
  let left = range
  for await (const event of walk(log, range, asked, extent)) {
    looked += 1
    left = order === 'asc' ? { ...range, after: event.seq } : { ...range, upTo: event.seq - 1 }
    if (inScope(scope, event) && accepts(candidate(event))) {
      const text = format(event)
      texts.push(text)
      length += text.length
    }
    if (texts.length >= limit || looked >= limits.scanEvents || length >= limits.answerLength) {
      return { texts, nextCursor: cursorOf(left, order, extent), extent }
    }
  }
  return { texts, nextCursor: null, extent }
}

function cursorOf({ after, upTo }: Range, order: HistoryQuery['order'], { epoch, oldest }: LogExtent): string | null {
  if (upTo <= Math.max(after, oldest - 1)) return null
  return `${epoch}:${order === 'asc' ? after : upTo}`
}

/** The events of a range in the order that was asked for. */
async function* walk(
  log: EventLog,
  range: Range,
  { query, limits, signal }: HistoryAsked,
  extent: LogExtent,
): AsyncGenerator<StreamEvent> {
  const ascending = query.order === 'asc'
  const limit = limits.pageEvents
  let [after, before] = [range.after, range.upTo + 1]
  while (after + 1 < before) {
    signal.throwIfAborted()
    const page = ascending ? await log.read({ after, limit, signal }) : await log.readBack({ before, limit, signal })
    const [first] = page
    if (first === undefined) return
    if (first.epoch !== extent.epoch) throw new CursorGoneError('epoch_changed', await log.extent())
    if (ascending && query.since.kind === 'cursor' && first.seq !== after + 1) {
      throw new CursorGoneError('cursor_expired', await log.extent())
    }
    for (const event of page) {
      if (ascending ? event.seq > range.upTo : event.seq <= range.after) return
      yield event
      if (ascending) after = event.seq
      else before = event.seq
    }
  }
}
