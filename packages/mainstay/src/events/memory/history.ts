import { parseTimestamp } from '../../core/timestamp.ts'
import type { Ids } from '../../core/ids.ts'
import { newEpoch } from '../epoch.ts'
import type { LogExtent } from '../log.ts'
import type { RepeatWindow, RetentionOptions } from '../retention.ts'
import { StoredEvent, storedText } from '../stored-event.ts'
import type { NewStreamEvent } from '../stream-event.ts'
import { TailFeed } from '../tail-feed.ts'

interface Kept {
  readonly event: StoredEvent
  readonly id: string
  readonly at: number
}

/** What the memory logs of several nodes share, as if it were a server. */
export class MemoryHistory {
  readonly feed: TailFeed
  readonly #ids: Ids
  /** `undefined` where trimmed; the first `#oldest - #base` places are. */
  #kept: Kept[] = []
  #oldest = 1
  #bytes = 0
  #lastAt = 0
  readonly #places = new Map<string, number>()
  /** When each source id was seen; in the order of their coming. */
  readonly #seen = new Map<string, number>()

  constructor(ids: Ids) {
    this.#ids = ids
    this.feed = new TailFeed({ epoch: newEpoch(ids), head: 0 })
  }

  get extent(): LogExtent {
    return { epoch: this.feed.epoch, oldest: this.#oldest, head: this.feed.head }
  }

  append(batch: readonly NewStreamEvent[], now: number, window: RepeatWindow): StoredEvent[] {
    this.#forgetSeen(now - window.ms, window.events)
    const added: StoredEvent[] = []
    for (const event of batch) {
      if (this.#seen.has(event.source_event_id)) continue
      const at = Math.max(this.#lastAt, parseTimestamp(event.timestamp) ?? now)
      const place = { seq: this.feed.head + added.length + 1, epoch: this.feed.epoch }
      const stored = new StoredEvent(place, storedText(event), event)
      this.#kept.push({ event: stored, id: event.id, at })
      this.#places.set(event.id, place.seq)
      this.#seen.set(event.source_event_id, Math.max(at, now))
      this.#bytes += stored.text.length
      this.#lastAt = at
      added.push(stored)
    }
    this.#forgetSeen(0, window.events)
    this.feed.announce(added)
    return added
  }

  at(seq: number): Kept | undefined {
    return this.#kept[seq - this.#oldest]
  }

  slice(first: number, last: number): StoredEvent[] {
    const start = Math.max(0, first - this.#oldest)
    return this.#kept.slice(start, Math.max(start, last - this.#oldest + 1)).map(({ event }) => event)
  }

  placeOf(id: string): number | undefined {
    return this.#places.get(id)
  }

  /** Drops the oldest events that the retention does not keep. @returns how many */
  trim(now: number, { maxAgeMs, maxEvents, maxBytes }: RetentionOptions): number {
    let dropped = 0
    let bytes = this.#bytes
    for (const { event, at } of this.#kept) {
      if (this.#kept.length - dropped <= maxEvents && at >= now - maxAgeMs && bytes <= maxBytes) break
      bytes -= event.text.length
      dropped += 1
    }
    for (const { id } of this.#kept.splice(0, dropped)) this.#places.delete(id)
    this.#bytes = bytes
    this.#oldest += dropped
    return dropped
  }

  /** As a store that was wiped. */
  wipe(): void {
    this.#kept = []
    this.#oldest = 1
    this.#bytes = 0
    this.#lastAt = 0
    this.#places.clear()
    this.#seen.clear()
    this.feed.restart({ epoch: newEpoch(this.#ids), head: 0 })
  }

  #forgetSeen(before: number, atMost: number): void {
    for (const [id, at] of this.#seen) {
      if (at >= before && this.#seen.size <= atMost) break
      this.#seen.delete(id)
    }
  }
}
