/** Counts what a client sends. Source: event-stream.md 11.9. */
export class MessageRate {
  readonly #limit: number
  readonly #windowMs: number
  #windowStart = 0
  #count = 0

  constructor({ limit, windowMs }: { limit: number; windowMs: number }) {
    this.#limit = limit
    this.#windowMs = windowMs
  }

  /** Counts one message. @returns whether it is within the limit */
  allows(now: number): boolean {
    if (now - this.#windowStart >= this.#windowMs) {
      this.#windowStart = now
      this.#count = 0
    }
    this.#count += 1
    return this.#count <= this.#limit
  }
}
