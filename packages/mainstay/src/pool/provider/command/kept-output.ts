/** What a hook prints may be a gigabyte; its beginning and its end are kept. */
export class KeptOutput {
  readonly #half: number
  readonly #head: Buffer[] = []
  #headBytes = 0
  #tail: Buffer = Buffer.alloc(0)
  #dropped = 0

  /** @param maxBytes how much is kept; half of it from the beginning, half from the end */
  constructor(maxBytes: number) {
    this.#half = Math.floor(maxBytes / 2)
  }

  push(chunk: Buffer): void {
    const room = this.#half - this.#headBytes
    if (room > 0) {
      // A copy: a small piece must not keep the large one alive that it came in.
      const piece = Buffer.from(chunk.subarray(0, room))
      this.#head.push(piece)
      this.#headBytes += piece.length
    }
    const rest = chunk.subarray(Math.max(0, room))
    if (rest.length === 0) return
    const joined = Buffer.concat([this.#tail, rest])
    const surplus = Math.max(0, joined.length - this.#half)
    this.#dropped += surplus
    this.#tail = surplus > 0 ? Buffer.from(joined.subarray(surplus)) : joined
  }

  /** How many bytes of the middle were not kept. */
  get droppedBytes(): number {
    return this.#dropped
  }

  /** With one line in the place of what was dropped. */
  text(): string {
    const gap = this.#dropped === 0 ? '' : `\n[${this.#dropped} bytes not kept]\n`
    return Buffer.concat([...this.#head, Buffer.from(gap), this.#tail]).toString('utf8')
  }
}
