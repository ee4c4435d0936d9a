import { CLOSE } from '../hub/control-frame.ts'
import { MAX_CONTROL_BYTES, OPCODE } from './frame.ts'

/** What the reader found. */
export interface FrameEvents {
  /** A whole message; `compressed` when it still has to be inflated. */
  onMessage(message: { text: boolean; payload: Buffer; compressed: boolean }): void
  onPing(payload: Buffer): void
  onPong(payload: Buffer): void
  /** The client closes. `code` is 1005 when it gave none. */
  onClose(code: number, reason: string): void
  /** The client breaks the protocol; nothing more is read. */
  onViolation(code: number, reason: string): void
}

export interface FrameReaderOptions {
  /** The longest message, before inflating. */
  readonly maxMessageBytes: number
  /** Whether RSV1 may be set. */
  readonly compression: boolean
}

const SHORTEST_HEADER_BYTES = 2
const MASK_BYTES = 4

/** More frames than this in one message serve only to use up memory. */
const MAX_PARTS = 1024

/** No code was given. Source: RFC 6455, 7.1.5. */
const NO_CODE = 1005

/** Bad UTF-8 is an error, in a text as in a reason. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Takes frames of a client apart, however the network has cut them.
 *
 *   header ──complete──▶ payload ──complete──▶ header
 *      └──────────┬─────────┘
 *                 └── something that RFC 6455 forbids, or too long ──▶ dead
 *
 * It holds at most one message and one frame; a frame that would make the message too long is refused by its header,
 * before its payload has come.
 *
 * Source: RFC 6455, 5; RFC 7692, 6.
 */
export class FrameReader {
  readonly #options: FrameReaderOptions
  readonly #events: FrameEvents
  #pending: Buffer[] | undefined
  #pendingBytes = 0
  /** How many bytes must have come before it is worth looking again. */
  #neededBytes = SHORTEST_HEADER_BYTES
  /** The parts of a message that is not complete. */
  #parts: Buffer[] | undefined
  #partBytes = 0
  #opcode = 0
  #compressed = false
  #dead = false

  constructor(options: FrameReaderOptions, events: FrameEvents) {
    this.#options = options
    this.#events = events
  }

  /** Takes bytes as they come. They may be written to: the reader unmasks in place. */
  push(bytes: Buffer): void {
    if (this.#dead) return
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes < this.#neededBytes) return this.#wait(bytes)
    let rest = this.#pending === undefined ? bytes : Buffer.concat([...this.#pending, bytes])
    this.#forget()
    for (let used = this.#readFrame(rest); used > 0; used = this.#readFrame(rest)) rest = rest.subarray(used)
    if (this.#dead || rest.length === 0) return
    this.#pendingBytes = rest.length
    this.#wait(rest)
  }

  /** Reads nothing any more. */
  stop(): void {
    this.#dead = true
    this.#forget()
    this.#parts = undefined
  }

  /** Keeps a copy, because what the network gave is part of a much larger piece of memory. */
  #wait(bytes: Buffer): void {
    this.#pending ??= []
    this.#pending.push(Buffer.from(bytes))
  }

  #forget(): void {
    this.#pending = undefined
    this.#pendingBytes = 0
    this.#neededBytes = SHORTEST_HEADER_BYTES
  }

  #need(bytes: number): 0 {
    this.#neededBytes = bytes
    return 0
  }

  /** @returns how many bytes the first frame has, 0 when it is not complete or nothing more is read */
  #readFrame(bytes: Buffer): number {
    if (this.#dead || bytes.length < SHORTEST_HEADER_BYTES) return 0
    const [first, second] = [bytes[0]!, bytes[1]!]
    const header = { final: (first & 0x80) !== 0, compressed: (first & 0x40) !== 0, opcode: first & 0x0f }
    const short = second & 0x7f
    const violation = this.#violation(first, second, header)
    if (violation !== undefined) return this.#fail(1002, violation)
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
    const maskAt = 2 + lengthBytes
    if (bytes.length < maskAt) return this.#need(maskAt)
    const length = lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : readLength(bytes)
    if (this.#partBytes + length > this.#options.maxMessageBytes && header.opcode < OPCODE.CLOSE) {
      return this.#fail(CLOSE.TOO_BIG, `A message is longer than ${this.#options.maxMessageBytes} bytes.`)
    }
    const start = maskAt + MASK_BYTES
    const end = start + length
    if (bytes.length < end) return this.#need(end)
    const payload = bytes.subarray(start, end)
    unmask(payload, bytes, maskAt)
    this.#take(header, payload)
    return end
  }

  #violation(
    first: number,
    second: number,
    { final, compressed, opcode }: { final: boolean; compressed: boolean; opcode: number },
  ): string | undefined {
    if ((second & 0x80) === 0) return 'A client masks its frames.'
    if ((first & 0x30) !== 0) return 'A reserved bit is set.'
    if (opcode >= OPCODE.CLOSE) {
      if (opcode > OPCODE.PONG) return 'The opcode is reserved.'
      if (!final || compressed) return 'A control frame comes whole and uncompressed.'
      return (second & 0x7f) > MAX_CONTROL_BYTES ? 'A control frame is too long.' : undefined
    }
    if (opcode > OPCODE.BINARY) return 'The opcode is reserved.'
    if (opcode === OPCODE.CONTINUATION) {
      if (this.#parts === undefined) return 'There is no message to go on with.'
      return compressed ? 'Only the first frame of a message says that it is compressed.' : undefined
    }
    if (this.#parts !== undefined) return 'The message before has not ended.'
    return compressed && !this.#options.compression ? 'Compression was not agreed on.' : undefined
  }

  #take({ final, compressed, opcode }: { final: boolean; compressed: boolean; opcode: number }, payload: Buffer): void {
    if (opcode === OPCODE.PING) return this.#events.onPing(payload)
    if (opcode === OPCODE.PONG) return this.#events.onPong(payload)
    if (opcode === OPCODE.CLOSE) return this.#takeClose(payload)
    if (opcode !== OPCODE.CONTINUATION) {
      this.#opcode = opcode
      this.#compressed = compressed
    }
    if (final && this.#parts === undefined) return this.#deliver(payload)
    this.#parts ??= []
    if (this.#parts.length >= MAX_PARTS) return void this.#fail(CLOSE.TOO_BIG, 'A message has too many parts.')
    this.#parts.push(Buffer.from(payload))
    this.#partBytes += payload.length
    if (!final) return
    const whole = Buffer.concat(this.#parts)
    this.#parts = undefined
    this.#partBytes = 0
    this.#deliver(whole)
  }

  #deliver(payload: Buffer): void {
    this.#events.onMessage({ text: this.#opcode === OPCODE.TEXT, payload, compressed: this.#compressed })
  }

  #takeClose(payload: Buffer): void {
    if (payload.length === 1) return void this.#fail(1002, 'A close code has two bytes.')
    const code = payload.length === 0 ? NO_CODE : payload.readUInt16BE(0)
    if (payload.length > 0 && !isValidCloseCode(code)) return void this.#fail(1002, 'The close code is not allowed.')
    const reason = decodeText(payload.subarray(2))
    if (reason === undefined) return void this.#fail(CLOSE.INVALID_TEXT, 'The reason is not UTF-8.')
    this.stop()
    this.#events.onClose(code, reason)
  }

  #fail(code: number, reason: string): 0 {
    this.stop()
    this.#events.onViolation(code, reason)
    return 0
  }
}

/** The text of a payload, or undefined when it is not UTF-8. */
export function decodeText(payload: Buffer): string | undefined {
  try {
    return utf8.decode(payload)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** Codes that may stand in a frame. Source: RFC 6455, 7.4. */
function isValidCloseCode(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)
}

/** A length of 8 bytes; beyond what a number can hold, infinity: it is too long in any case. */
function readLength(bytes: Buffer): number {
  const high = bytes.readUInt32BE(2)
  return high > 0x1fffff ? Infinity : high * 2 ** 32 + bytes.readUInt32BE(6)
}

function unmask(payload: Buffer, bytes: Buffer, maskAt: number): void {
  const mask = [bytes[maskAt]!, bytes[maskAt + 1]!, bytes[maskAt + 2]!, bytes[maskAt + 3]!]
  for (let index = 0; index < payload.length; index += 1) payload[index]! ^= mask[index & 3]!
}
