import type { NewStreamEvent, StreamEvent } from './stream-event.ts'

/** What a log holds now. `oldest` is `head + 1` when it holds nothing. */
export interface LogExtent {
  readonly epoch: string
  readonly oldest: number
  readonly head: number
}

export interface Appended {
  /** Those that are new, in the order of the batch, with their places. */
  readonly events: readonly StreamEvent[]
  /** How many were dropped because the log had their `source_event_id` already (R3). */
  readonly duplicates: number
}

/** Where a tail stands: it has seen everything up to and including `seq` of `epoch`. */
export interface TailPosition {
  readonly epoch: string
  readonly seq: number
}

export type TailNews =
  | { readonly kind: 'events'; readonly events: readonly StreamEvent[] }
  /** History was lost and a new one began (R6): everybody starts again from `extent.oldest`. */
  | { readonly kind: 'epoch'; readonly extent: LogExtent }

/**
 * The durable, ordered record of everything that happened. Its drivers: SQLite, Redis Streams, memory.
 *
 * Invariant: `seq` grows by one without gaps within an epoch; what `append` has returned survives a crash of the
 * process; nobody is told of an event before it is stored.
 *
 * Source: event-stream.md R1 … R6.
 */
export interface EventLog {
  /**
   * Stores a batch, all or nothing.
   *
   * @throws EventLogUnavailableError when the store cannot be reached; nothing of the batch is then known to be stored,
   * and repeating it is safe
   */
  append(batch: readonly NewStreamEvent[], options?: { signal?: AbortSignal }): Promise<Appended>
  /** At most `limit` events with `seq > after`, oldest first. */
  read(query: { after: number; limit: number; signal?: AbortSignal }): Promise<readonly StreamEvent[]>
  /** At most `limit` events with `seq < before`, newest first. */
  readBack(query: { before: number; limit: number; signal?: AbortSignal }): Promise<readonly StreamEvent[]>
  find(id: string): Promise<StreamEvent | null>
  /** The last `seq` taken in before a time, `oldest - 1` when there is none: replay begins after it. */
  seqBefore(time: { epochMs: number }): Promise<number>
  extent(): Promise<LogExtent>
  /** What comes after a position, in order and without gaps, also what other nodes append; ends when aborted. */
  tail(from: TailPosition, options: { signal: AbortSignal }): AsyncIterable<TailNews>
  /** Drops what the retention no longer keeps (R5). @returns how many events were dropped */
  trim(): Promise<number>
  close(): Promise<void>
}
