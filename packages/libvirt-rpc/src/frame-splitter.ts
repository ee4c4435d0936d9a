import { checkFrameLength, LENGTH_BYTES } from './frame.ts'

/**
 * Cuts a byte stream into whole messages, whatever the sizes of the chunks it comes in.
 *
 * Invariant: what is kept is less than one message, and its length word was checked as soon as its four bytes were
 * there, so that memory is bounded by the longest message. Chunks are joined once per message, not once per chunk.
 */
export class FrameSplitter {
  #chunks: Buffer[] = []
  #kept = 0
  /** Bytes that must be there before the next step: the length word first, then the whole message. */
  #needed = LENGTH_BYTES
  #lengthKnown = false

  /** Bytes that wait for the rest of their message. */
  get kept(): number {
    return this.#kept
  }

  /**
   * Adds a chunk and yields the messages that are complete with it, as views. Throws `LibvirtProtocolError` for an
   * impossible length; the stream is then lost for good.
   */
  *push(chunk: Buffer): Generator<Buffer, void, undefined> {
    this.#chunks.push(chunk)
    this.#kept += chunk.length
    while (this.#kept >= this.#needed) {
      const bytes = this.#join()
      if (!this.#lengthKnown) {
        const length = bytes.readUInt32BE(0)
        checkFrameLength(length)
        this.#needed = length
        this.#lengthKnown = true
        continue
      }
      const frame = bytes.subarray(0, this.#needed)
      const rest = bytes.subarray(this.#needed)
      this.#chunks = rest.length > 0 ? [rest] : []
      this.#kept = rest.length
      this.#needed = LENGTH_BYTES
      this.#lengthKnown = false
      yield frame
    }
  }

  #join(): Buffer {
    const [only] = this.#chunks
    if (only !== undefined && this.#chunks.length === 1) return only
    const joined = Buffer.concat(this.#chunks, this.#kept)
    this.#chunks = [joined]
    return joined
  }
}
