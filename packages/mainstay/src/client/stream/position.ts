import type { Frame, Hello } from './frame.ts'

/** What becomes of an event. */
export type Verdict = 'new' | 'repeat' | 'gap'

/**
 * A client's place in the stream, over all its connections.
 *
 * Invariant: what is taken as new is in order, each event once; whatever is missing between two of them shows as a gap,
 * as far as one can know it. A server counts the events of a connection (`n`), so one that was lost on the way shows
 * in any stream. A client that is shown every event also sees it in `seq`.
 *
 * Source: event-stream.md R10, R12, R40.
 */
export class StreamPosition {
  #epoch: string | undefined
  #seq = 0
  #n = 0
  #complete = false

  /** Where to go on, or undefined as long as no server has said a place. */
  get cursor(): string | undefined {
    return this.#epoch === undefined ? undefined : `${this.#epoch}:${this.#seq}`
  }

  /** A connection begins. @param unfiltered whether no filter of ours leaves events out */
  begin(hello: Hello, { unfiltered }: { unfiltered: boolean }): void {
    this.#n = 0
    this.#complete = unfiltered && hello.complete
    this.moveTo(hello.cursor)
  }

  take({ event, n }: Extract<Frame, { kind: 'event' }>): Verdict {
    if (n !== null) {
      if (n !== this.#n + 1) return 'gap'
      this.#n = n
    }
    if (event.epoch === this.#epoch) {
      if (event.seq <= this.#seq) return 'repeat'
      if (this.#complete && event.seq !== this.#seq + 1) return 'gap'
    }
    this.#epoch = event.epoch
    this.#seq = event.seq
    return 'new'
  }

  /** Everything up to this place was shown, or was not for us. Never goes back within a history. */
  moveTo(cursor: string): void {
    const place = readCursor(cursor)
    if (place === undefined || (place.epoch === this.#epoch && place.seq < this.#seq)) return
    this.#epoch = place.epoch
    this.#seq = place.seq
  }

  /** The place is no longer good: the stream goes on from another. @param cursor undefined when nobody knows it yet */
  reset(cursor: string | undefined): void {
    const place = cursor === undefined ? undefined : readCursor(cursor)
    this.#epoch = place?.epoch
    this.#seq = place?.seq ?? 0
  }

  /** The server left events out, and said so. */
  skipTo(seq: number): void {
    this.#seq = Math.max(this.#seq, seq)
  }

  /** The filter changed: until the next connection `seq` tells nothing of what is missing. */
  retuned(): void {
    this.#complete = false
  }
}

function readCursor(cursor: string): { epoch: string; seq: number } | undefined {
  const [, epoch, digits] = /^(.+):(\d{1,16})$/.exec(cursor) ?? []
  const seq = Number(digits)
  return epoch === undefined || !Number.isSafeInteger(seq) ? undefined : { epoch, seq }
}
