import type { Clock } from '../../core/clock.ts'
import { ShutdownError } from '../../core/errors.ts'
import { SystemIds } from '../../core/ids.ts'
import type { Appended, EventLog, LogExtent, TailNews, TailPosition } from '../log.ts'
import {
  DEFAULT_REPEAT_WINDOW,
  DEFAULT_RETENTION,
  firstTakenIn,
  type RepeatWindow,
  type RetentionOptions,
} from '../retention.ts'
import type { NewStreamEvent, StreamEvent } from '../stream-event.ts'
import { MemoryHistory } from './history.ts'

export interface MemoryEventLogOptions {
  readonly clock: Clock
  /** Shared by the nodes of one stream; a history of its own unless given. */
  readonly history?: MemoryHistory
  readonly retention?: RetentionOptions
  readonly repeats?: RepeatWindow
}

/** The event log without a store: for tests, and for a server whose events need not outlive it. */
export class MemoryEventLog implements EventLog {
  readonly #history: MemoryHistory
  readonly #clock: Clock
  readonly #retention: RetentionOptions
  readonly #repeats: RepeatWindow
  readonly #closing = new AbortController()

  constructor({
    clock,
    history = new MemoryHistory(new SystemIds()),
    retention = DEFAULT_RETENTION,
    repeats = DEFAULT_REPEAT_WINDOW,
  }: MemoryEventLogOptions) {
    this.#history = history
    this.#clock = clock
    this.#retention = retention
    this.#repeats = repeats
  }

  async append(batch: readonly NewStreamEvent[], { signal }: { signal?: AbortSignal } = {}): Promise<Appended> {
    signal?.throwIfAborted()
    this.#refuseClosed()
    const events = this.#history.append(batch, this.#clock.now(), this.#repeats)
    return { events, duplicates: batch.length - events.length }
  }

  async read({ after, limit }: { after: number; limit: number }): Promise<readonly StreamEvent[]> {
    const first = Math.max(after + 1, this.#history.extent.oldest)
    return this.#history.slice(first, first + limit - 1)
  }

  async readBack({ before, limit }: { before: number; limit: number }): Promise<readonly StreamEvent[]> {
    const last = Math.min(before - 1, this.#history.extent.head)
    return this.#history.slice(last - limit + 1, last).toReversed()
  }

  async find(id: string): Promise<StreamEvent | null> {
    const seq = this.#history.placeOf(id)
    return seq === undefined ? null : (this.#history.at(seq)?.event ?? null)
  }

  async seqBefore({ epochMs }: { epochMs: number }): Promise<number> {
    return (await firstTakenIn(this.#history.extent, epochMs, (seq) => this.#history.at(seq)?.at)) - 1
  }

  async extent(): Promise<LogExtent> {
    return this.#history.extent
  }

  tail(from: TailPosition, { signal }: { signal: AbortSignal }): AsyncIterable<TailNews> {
    return this.#history.feed.follow(from, this, AbortSignal.any([signal, this.#closing.signal]))
  }

  async trim(): Promise<number> {
    return this.#history.trim(this.#clock.now(), this.#retention)
  }

  async close(): Promise<void> {
    this.#closing.abort(new ShutdownError('The event log'))
  }

  #refuseClosed(): void {
    if (this.#closing.signal.aborted) throw new ShutdownError('The event log')
  }
}
