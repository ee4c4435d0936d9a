import { StoredEvent } from '../stored-event.ts'
import type { EventLog } from '../log.ts'
import type { StreamEvent } from '../stream-event.ts'
import { EventRecord } from './event-record.ts'

/** Consecutive events of the log. */
export class Page {
  readonly number: number
  readonly records: EventRecord[]
  bytes = 0

  constructor(number: number, records: EventRecord[]) {
    this.number = number
    this.records = records
    for (const { event } of records) this.bytes += sizeOf(event)
  }

  get first(): number {
    return this.records[0]!.event.seq
  }

  get last(): number {
    return this.records.at(-1)!.event.seq
  }

  add(event: StreamEvent): void {
    this.records.push(new EventRecord(event))
    this.bytes += sizeOf(event)
  }
}

/** Of an event whose text is not at hand. */
const ASSUMED_BYTES = 1024

function sizeOf(event: StreamEvent): number {
  return event instanceof StoredEvent ? event.text.length : ASSUMED_BYTES
}

export interface PagesOptions {
  readonly pageEvents: number
  readonly pagesKept: number
  readonly pageBytesKept: number
}

/**
 * The part of the log that is in memory: the newest events, as the tail brought them, and older pages that somebody
 * has asked for. Whoever is behind and whoever is level read the same pages; only where they stand differs.
 *
 * Invariant: a page has no gap, and no event after the head.
 */
export class Pages {
  readonly #log: Pick<EventLog, 'read'>
  readonly #options: PagesOptions
  /** By number, the one used longest ago first. */
  readonly #pages = new Map<number, Page>()
  readonly #loading = new Map<number, Promise<void>>()
  #bytes = 0
  #head = 0
  #generation = 0

  constructor(log: Pick<EventLog, 'read'>, options: PagesOptions) {
    this.#log = log
    this.#options = options
  }

  /** The last event that may be shown. */
  get head(): number {
    return this.#head
  }

  /** Bytes of event text in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** Counts lost histories: what was made of an older one is of no use. */
  get generation(): number {
    return this.#generation
  }

  /** Takes in what follows the head. @param keep whether anybody will want it soon */
  append(events: readonly StreamEvent[], { keep }: { keep: boolean }): void {
    for (const event of events) {
      if (event.seq <= this.#head) continue
      this.#head = event.seq
      if (keep) this.#add(event)
    }
    this.#evict()
  }

  /** The page that holds a place, if it is in memory. */
  holding(seq: number): Page | undefined {
    const number = this.#numberOf(seq)
    const page = this.#pages.get(number)
    if (page === undefined || seq < page.first || seq > page.last) return undefined
    if (seq !== this.#head && this.#pages.size > 1) {
      this.#pages.delete(number)
      this.#pages.set(number, page)
    }
    return page
  }

  /**
   * Reads the page of a place from the log. Afterwards {@link Pages.holding} has it, unless the log has not.
   *
   * @throws EventLogUnavailableError
   */
  async load(seq: number, signal: AbortSignal): Promise<void> {
    const number = this.#numberOf(seq)
    let loading = this.#loading.get(number)
    if (loading === undefined) {
      loading = this.#read(number, signal).finally(() => this.#loading.delete(number))
      this.#loading.set(number, loading)
    }
    await loading
  }

  /** Another history begins. */
  restart(head: number): void {
    this.#pages.clear()
    this.#bytes = 0
    this.#head = head
    this.#generation += 1
  }

  async #read(number: number, signal: AbortSignal): Promise<void> {
    const generation = this.#generation
    const { pageEvents } = this.#options
    const events = await this.#log.read({ after: number * pageEvents, limit: pageEvents, signal })
    if (generation !== this.#generation) return
    // What the tail has brought meanwhile is kept: its frames are made already.
    const known = this.#pages.get(number)?.records ?? []
    const [first, last] = [known[0]?.event.seq ?? Infinity, known.at(-1)?.event.seq ?? 0]
    const fresh = events.filter(({ seq }) => seq <= this.#head && (seq < first || seq > last))
    const make = (event: StreamEvent): EventRecord => new EventRecord(event)
    const records = [
      ...fresh.filter(({ seq }) => seq < first).map(make),
      ...known,
      ...fresh.filter(({ seq }) => seq > last && last !== 0).map(make),
    ]
    if (records.length === 0) return
    this.#forget(number)
    const page = new Page(number, records)
    this.#pages.set(number, page)
    this.#bytes += page.bytes
    this.#evict(number)
  }

  #add(event: StreamEvent): void {
    const number = this.#numberOf(event.seq)
    let page = this.#pages.get(number)
    if (page === undefined || page.last !== event.seq - 1) {
      this.#forget(number)
      page = new Page(number, [])
      this.#pages.set(number, page)
    }
    const before = page.bytes
    page.add(event)
    this.#bytes += page.bytes - before
  }

  #evict(justRead?: number): void {
    const { pagesKept, pageBytesKept } = this.#options
    const newest = this.#numberOf(this.#head)
    for (const number of this.#pages.keys()) {
      if (this.#pages.size <= pagesKept && this.#bytes <= pageBytesKept) return
      if (number !== newest && number !== justRead) this.#forget(number)
    }
  }

  #forget(number: number): void {
    this.#bytes -= this.#pages.get(number)?.bytes ?? 0
    this.#pages.delete(number)
  }

  #numberOf(seq: number): number {
    return Math.floor((seq - 1) / this.#options.pageEvents)
  }
}
