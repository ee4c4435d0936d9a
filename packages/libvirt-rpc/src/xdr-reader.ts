import { LibvirtProtocolError } from './errors.ts'
import { Limit } from './limits.ts'

/**
 * Reads XDR (RFC 4506) from one message body. Every read checks what is left first and throws `LibvirtProtocolError`
 * when the body is too short or a length exceeds its published limit; nothing is allocated before that check.
 */
export class XdrReader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  i32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  i64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8))
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#take(8))
  }

  /** A fixed number of bytes, without a length word. The result is a view, not a copy. */
  opaque(length: number): Buffer {
    const start = this.#take(length + padding(length))
    return this.#bytes.subarray(start, start + length)
  }

  string(maxBytes: number = Limit.STRING_BYTES): string {
    const length = this.u32()
    if (length > maxBytes)
      throw new LibvirtProtocolError(`A string of ${length} bytes exceeds its limit of ${maxBytes}.`)
    return this.opaque(length).toString('utf8')
  }

  optional<Value>(read: (reader: XdrReader) => Value): Value | undefined {
    const present = this.u32()
    if (present > 1) throw new LibvirtProtocolError(`An optional value starts with ${present}, neither 0 nor 1.`)
    return present === 1 ? read(this) : undefined
  }

  array<Value>(maxItems: number, read: (reader: XdrReader) => Value): Value[] {
    const length = this.u32()
    if (length > maxItems)
      throw new LibvirtProtocolError(`An array of ${length} items exceeds its limit of ${maxItems}.`)
    const items: Value[] = []
    for (let index = 0; index < length; index++) items.push(read(this))
    return items
  }

  #take(length: number): number {
    const start = this.#offset
    if (length > this.#bytes.length - start) {
      throw new LibvirtProtocolError(
        `The message body ends at byte ${this.#bytes.length}; ${length} bytes were expected from byte ${start} on.`,
      )
    }
    this.#offset = start + length
    return start
  }
}

/** XDR fills every item up to a multiple of four bytes. */
export function padding(length: number): number {
  return (4 - (length % 4)) % 4
}

/** For an answer without a body. */
export function readNothing(): void {}
