import { candidate, type Candidate } from '../filter/index.ts'
import type { StreamEvent } from '../stream-event.ts'
import type { Dialect, EncodedEvent } from './dialect.ts'

/** An event in memory with what was made of it, each thing once. */
export class EventRecord {
  readonly event: StreamEvent
  #candidate: Candidate | undefined
  #dialect: Dialect | undefined
  #encoded: EncodedEvent | undefined
  #others: Map<Dialect, EncodedEvent> | undefined

  constructor(event: StreamEvent) {
    this.event = event
  }

  /** The event as filters look at it. */
  get candidate(): Candidate {
    this.#candidate ??= candidate(this.event)
    return this.#candidate
  }

  encoded(dialect: Dialect): EncodedEvent {
    // Most streams are spoken in one dialect: it gets by without a map.
    if (this.#dialect === dialect) return this.#encoded!
    if (this.#dialect === undefined) {
      this.#dialect = dialect
      this.#encoded = dialect.encode(this.event)
      return this.#encoded
    }
    this.#others ??= new Map()
    let encoded = this.#others.get(dialect)
    if (encoded === undefined) {
      encoded = dialect.encode(this.event)
      this.#others.set(dialect, encoded)
    }
    return encoded
  }
}
