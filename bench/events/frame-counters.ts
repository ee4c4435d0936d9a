/** Counts what comes on one connection, and looks at nothing that it need not look at. */
export interface Counter {
  /** How many events have come. */
  readonly count: number
  push(bytes: Buffer): void
}

const LONGEST_HEADER = 10

const [TEXT, BINARY, PING] = [1, 2, 9]

/** A short answer to a ping; the mask of zeros changes nothing. */
export const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])

/** Takes unmasked WebSocket frames apart; the payload of a message goes on in the pieces in which it came. */
export class FrameWalker {
  #header = Buffer.alloc(LONGEST_HEADER)
  #headerBytes = 0
  #missing = 0
  #isMessage = false
  readonly #onPayload: ((piece: Buffer) => void) | undefined
  readonly #onFrameEnd: () => void
  readonly #onPing: () => void

  constructor(on: { onPayload?: (piece: Buffer) => void; onFrameEnd: () => void; onPing: () => void }) {
    this.#onPayload = on.onPayload
    this.#onFrameEnd = on.onFrameEnd
    this.#onPing = on.onPing
  }

  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#missing > 0) {
        const end = Math.min(bytes.length, at + this.#missing)
        if (this.#isMessage) this.#onPayload?.(bytes.subarray(at, end))
        this.#missing -= end - at
        at = end
        if (this.#missing === 0 && this.#isMessage) this.#onFrameEnd()
      } else {
        at = this.#readHeader(bytes, at)
      }
    }
  }

  #readHeader(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length) {
      this.#header[this.#headerBytes] = bytes[at]!
      this.#headerBytes += 1
      at += 1
      const length = this.#length()
      if (length === undefined) continue
      this.#headerBytes = 0
      this.#missing = length
      const opcode = this.#header[0]! & 0x0f
      this.#isMessage = opcode === TEXT || opcode === BINARY || opcode === 0
      if (opcode === PING) this.#onPing()
      return at
    }
    return at
  }

  /** The payload's length, or undefined while the header is not complete. */
  #length(): number | undefined {
    if (this.#headerBytes < 2) return undefined
    const short = this.#header[1]! & 0x7f
    if (short < 126) return short
    if (short === 126) return this.#headerBytes < 4 ? undefined : this.#header.readUInt16BE(2)
    return this.#headerBytes < 10 ? undefined : this.#header.readUInt32BE(6)
  }
}

/** Every frame is an event. What a server says of itself before the first event must be taken off. */
export class FrameCounter implements Counter {
  count = 0
  readonly #walker: FrameWalker

  constructor(onPing: () => void) {
    this.#walker = new FrameWalker({ onFrameEnd: () => (this.count += 1), onPing })
  }

  push(bytes: Buffer): void {
    this.#walker.push(bytes)
  }
}

const NEWLINE = 10

/** Messages of the NATS protocol inside of WebSocket frames: `MSG <subject> <sid> [reply] <bytes>\r\n<payload>\r\n`. */
export class NatsCounter implements Counter {
  count = 0
  #line = ''
  #skip = 0
  readonly #walker: FrameWalker

  constructor(onPing: () => void) {
    this.#walker = new FrameWalker({ onPayload: (piece) => this.#take(piece), onFrameEnd: () => {}, onPing })
  }

  push(bytes: Buffer): void {
    this.#walker.push(bytes)
  }

  #take(piece: Buffer): void {
    let at = 0
    while (at < piece.length) {
      if (this.#skip > 0) {
        const end = Math.min(piece.length, at + this.#skip)
        this.#skip -= end - at
        at = end
      } else {
        const end = piece.indexOf(NEWLINE, at)
        this.#line += piece.toString('latin1', at, end === -1 ? piece.length : end)
        if (end === -1) return
        at = end + 1
        this.#endLine()
      }
    }
  }

  #endLine(): void {
    const line = this.#line
    this.#line = ''
    if (!line.startsWith('MSG ')) return
    this.count += 1
    this.#skip = Number.parseInt(line.slice(line.lastIndexOf(' ') + 1), 10) + '\r\n'.length
  }
}

/** When an event was sent stands in its payload, between these marks, in nanoseconds of the machine's clock. */
export const SENT_AT = '"sent_at":"'

/** Remembers how long each event was on its way. */
export class LatencyCounter implements Counter {
  count = 0
  #latenciesMs: number[] = []
  #pieces: Buffer[] = []
  readonly #walker: FrameWalker

  constructor(onPing: () => void) {
    this.#walker = new FrameWalker({
      onPayload: (piece) => void this.#pieces.push(Buffer.from(piece)),
      onFrameEnd: () => this.#end(),
      onPing,
    })
  }

  push(bytes: Buffer): void {
    this.#walker.push(bytes)
  }

  /** What was measured since the last time, in milliseconds. */
  take(): number[] {
    const taken = this.#latenciesMs
    this.#latenciesMs = []
    return taken
  }

  #end(): void {
    const now = process.hrtime.bigint()
    const text = Buffer.concat(this.#pieces).toString('latin1')
    this.#pieces = []
    this.count += 1
    const at = text.indexOf(SENT_AT)
    if (at === -1) return
    const digits = text.slice(at + SENT_AT.length, text.indexOf('"', at + SENT_AT.length))
    this.#latenciesMs.push(Number(now - BigInt(digits)) / 1e6)
  }
}
