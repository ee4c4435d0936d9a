import { LibvirtArgumentError } from './errors.ts'
import { Limit } from './limits.ts'
import { padding } from './xdr-reader.ts'

/** Writes XDR (RFC 4506) into one growing buffer. Values that the protocol cannot carry throw `LibvirtArgumentError`. */
export class XdrWriter {
  #bytes = Buffer.allocUnsafe(256)
  #length = 0

  i32(value: number): this {
    checkInteger(value, -0x8000_0000, 0x7fff_ffff)
    const start = this.#reserve(4)
    this.#bytes.writeInt32BE(value, start)
    return this
  }

  u32(value: number): this {
    checkInteger(value, 0, 0xffff_ffff)
    const start = this.#reserve(4)
    this.#bytes.writeUInt32BE(value, start)
    return this
  }

  opaque(bytes: Uint8Array): this {
    const start = this.#reserve(bytes.length + padding(bytes.length))
    this.#bytes.set(bytes, start)
    this.#bytes.fill(0, start + bytes.length, this.#length)
    return this
  }

  string(text: string, maxBytes: number = Limit.STRING_BYTES): this {
    const bytes = Buffer.from(text, 'utf8')
    if (bytes.length > maxBytes) {
      throw new LibvirtArgumentError(`A text of ${bytes.length} bytes is too long: libvirt accepts ${maxBytes}.`)
    }
    return this.u32(bytes.length).opaque(bytes)
  }

  optional<Value>(value: Value | undefined, write: (writer: XdrWriter, value: Value) => void): this {
    if (value === undefined) return this.u32(0)
    this.u32(1)
    write(this, value)
    return this
  }

  array<Value>(items: readonly Value[], maxItems: number, write: (writer: XdrWriter, value: Value) => void): this {
    if (items.length > maxItems) {
      throw new LibvirtArgumentError(`A list of ${items.length} items is too long: libvirt accepts ${maxItems}.`)
    }
    this.u32(items.length)
    for (const item of items) write(this, item)
    return this
  }

  /** Overwrites four bytes written before: for a length that is known only at the end. */
  patchU32(offset: number, value: number): void {
    this.#bytes.writeUInt32BE(value, offset)
  }

  get length(): number {
    return this.#length
  }

  /** What was written so far: a view that later writes may move away from. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Makes room and returns where it starts. It may replace the buffer: call it before touching `#bytes`. */
  #reserve(length: number): number {
    const start = this.#length
    const needed = start + length
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
      grown.set(this.bytes())
      this.#bytes = grown
    }
    this.#length = needed
    return start
  }
}

function checkInteger(value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new LibvirtArgumentError(`${value} is not an integer between ${min} and ${max}.`)
}
