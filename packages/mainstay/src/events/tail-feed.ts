import type { EventLog, LogExtent, TailNews, TailPosition } from './log.ts'
import type { StreamEvent } from './stream-event.ts'

/** Events that are read from the store in one go. */
const PAGE = 500

/** Events that wait in memory for one tail; a slower one reads them from the store again. */
const MAX_WAITING = 4096

type Source = Pick<EventLog, 'read' | 'extent'>

/**
 * Hands out what a log has just taken in to all who follow it.
 *
 * One tail:
 *
 *   reading ──level with the head──▶ waiting ──told of new events──▶ waiting
 *      ▲                                └──told of more than it may hold──┐
 *      └──────────────────────────────────────────────────────────────────┘
 *
 * Invariant: what a tail yields begins after its position and has no gap, whichever way it comes. A tail that reads
 * and one that is told meet without a lock, because everything between two awaits is one step of the process.
 */
export class TailFeed {
  #epoch: string
  #head: number
  #tails = new Set<WaitingEvents>()
  #closed = false

  constructor({ epoch, head }: { epoch: string; head: number }) {
    this.#epoch = epoch
    this.#head = head
  }

  get epoch(): string {
    return this.#epoch
  }

  /** The last event that the followers have been told of. */
  get head(): number {
    return this.#head
  }

  /** Tells of events that follow the head without a gap. */
  announce(events: readonly StreamEvent[]): void {
    const last = events.at(-1)
    if (last === undefined) return
    this.#head = last.seq
    for (const tail of this.#tails) tail.add(events)
  }

  /** Tells that the head is further than what was announced: followers read what is between from the store. */
  advance(head: number): void {
    if (head <= this.#head) return
    this.#head = head
    for (const tail of this.#tails) tail.clear()
  }

  /** Tells that a new history begins. */
  restart({ epoch, head }: { epoch: string; head: number }): void {
    this.#epoch = epoch
    this.#head = head
    for (const tail of this.#tails) tail.clear()
  }

  /** Ends all tails. */
  close(): void {
    this.#closed = true
    for (const tail of this.#tails) tail.clear()
  }

  /** See {@link EventLog.tail}. */
  async *follow(from: TailPosition, source: Source, signal: AbortSignal): AsyncGenerator<TailNews> {
    let { epoch, seq } = from
    const waiting = new WaitingEvents()
    const wake = (): void => waiting.clear()
    signal.addEventListener('abort', wake, { once: true })
    this.#tails.add(waiting)
    try {
      while (!signal.aborted && !this.#closed) {
        if (epoch !== this.#epoch || seq > this.#head) {
          const extent = await source.extent()
          if (extent.epoch !== this.#epoch) continue
          // It was only not known yet: before the first look, or when more was read than had been told of.
          if (epoch === extent.epoch && seq <= this.#head) continue
          epoch = extent.epoch
          seq = extent.oldest - 1
          yield { kind: 'epoch', extent }
          continue
        }
        const told = waiting.take(seq)
        if (told !== undefined) {
          seq = told.at(-1)!.seq
          yield { kind: 'events', events: told }
        } else if (seq < this.#head) {
          const page = await source.read({ after: seq, limit: PAGE, signal })
          if (epoch !== this.#epoch) continue
          // Nothing is left after the position: the retention has dropped all of it.
          if (page.length === 0) seq = Math.max(seq, await emptyUpTo(source, seq))
          else {
            seq = page.at(-1)!.seq
            yield { kind: 'events', events: page }
          }
        } else {
          await waiting.more()
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#tails.delete(waiting)
      signal.removeEventListener('abort', wake)
    }
  }
}

async function emptyUpTo(source: Source, seq: number): Promise<number> {
  const { oldest }: LogExtent = await source.extent()
  return Math.max(seq, oldest - 1)
}

/** What one tail has been told and has not yet taken. */
class WaitingEvents {
  #batches: (readonly StreamEvent[])[] = []
  #count = 0
  #wake: PromiseWithResolvers<void> | undefined

  add(events: readonly StreamEvent[]): void {
    if (this.#count + events.length > MAX_WAITING) {
      this.clear()
      return
    }
    this.#batches.push(events)
    this.#count += events.length
    this.#wake?.resolve()
  }

  /** Forgets what waits; whoever follows looks at the store. */
  clear(): void {
    this.#batches = []
    this.#count = 0
    this.#wake?.resolve()
  }

  /** All that waits after `seq`, or undefined when something between is missing. */
  take(seq: number): readonly StreamEvent[] | undefined {
    const events = this.#batches.length === 1 ? this.#batches[0]! : this.#batches.flat()
    this.#batches = []
    this.#count = 0
    const fresh = events.length > 0 && events[0]!.seq <= seq ? events.filter((event) => event.seq > seq) : events
    return fresh[0]?.seq === seq + 1 ? fresh : undefined
  }

  /** Waits until something is added or cleared. */
  async more(): Promise<void> {
    this.#wake = Promise.withResolvers()
    await this.#wake.promise
    this.#wake = undefined
  }
}
