import type { UpkeepView } from './upkeep.ts'

type Seen = Pick<
  UpkeepView,
  'lastFrameAt' | 'lastCursorAt' | 'movedSinceCursor' | 'lastProgressAt' | 'unsentBytes' | 'warnedOfExpiry'
>

/** When what last happened on a connection. Times are monotonic, in milliseconds. */
export class VitalSigns {
  warnedOfExpiry = false
  #lastFrameAt: number
  #lastCursorAt: number
  #lastCursorPosition = 0
  #lastProgressAt: number
  #lastSentBytes = 0

  constructor(now: number) {
    this.#lastFrameAt = now
    this.#lastCursorAt = now
    this.#lastProgressAt = now
  }

  /** A frame was sent. */
  frame(now: number): void {
    this.#lastFrameAt = now
  }

  /** A frame was sent that tells the cursor. */
  cursor(now: number, position: number): void {
    this.#lastFrameAt = now
    this.#lastCursorAt = now
    this.#lastCursorPosition = position
  }

  /** The socket has taken everything. */
  flushed(now: number): void {
    this.#lastProgressAt = now
  }

  /** Looks at the socket: bytes that left since the last look are progress, and so is having none left. */
  look(now: number, position: number, outlet: { unsentBytes: number; sentBytes: number }): Seen {
    const { unsentBytes } = outlet
    const sentBytes = unsentBytes === 0 ? this.#lastSentBytes : outlet.sentBytes
    if (unsentBytes === 0 || sentBytes > this.#lastSentBytes) this.#lastProgressAt = now
    this.#lastSentBytes = sentBytes
    return {
      lastFrameAt: this.#lastFrameAt,
      lastCursorAt: this.#lastCursorAt,
      movedSinceCursor: position > this.#lastCursorPosition,
      lastProgressAt: this.#lastProgressAt,
      unsentBytes,
      warnedOfExpiry: this.warnedOfExpiry,
    }
  }
}
