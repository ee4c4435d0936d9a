/**
 * Frames as a server sends them: never masked.
 *
 *   byte 0       FIN · RSV1 (compressed) · RSV2 · RSV3 · opcode
 *   byte 1       0 · length, or 126: the next 2 bytes are the length, or 127: the next 8 are
 *
 * Source: RFC 6455, 5.2.
 */
export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const

const FIN = 0x80
const RSV1 = 0x40

/** The longest payload of a control frame. */
export const MAX_CONTROL_BYTES = 125

/** How many bytes stand before a payload of so many. */
export function headerLength(payloadLength: number): number {
  if (payloadLength <= MAX_CONTROL_BYTES) return 2
  return payloadLength < 65_536 ? 4 : 10
}

/** Writes what stands before a payload. @returns where the payload begins */
export function writeHeader(
  target: Buffer,
  at: number,
  { opcode, length, compressed = false }: { opcode: number; length: number; compressed?: boolean },
): number {
  target[at] = FIN | (compressed ? RSV1 : 0) | opcode
  if (length <= MAX_CONTROL_BYTES) {
    target[at + 1] = length
    return at + 2
  }
  if (length < 65_536) {
    target[at + 1] = 126
    target[at + 2] = length >>> 8
    target[at + 3] = length & 0xff
    return at + 4
  }
  target[at + 1] = 127
  target.writeUInt32BE(Math.floor(length / 2 ** 32), at + 2)
  target.writeUInt32BE(length >>> 0, at + 6)
  return at + 10
}

/** A whole frame. */
export function frame(opcode: number, payload: Uint8Array, { compressed = false } = {}): Buffer {
  const { length } = payload
  const bytes = Buffer.allocUnsafe(headerLength(length) + length)
  const at = writeHeader(bytes, 0, { opcode, length, compressed })
  bytes.set(payload, at)
  return bytes
}

export function textFrame(text: string): Buffer {
  return frame(OPCODE.TEXT, Buffer.from(text))
}

/** @param reason is cut so that it fits; never inside a letter */
export function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason)
  let end = Math.min(text.length, MAX_CONTROL_BYTES - 2)
  // A byte 10xxxxxx goes on with the letter before it (UTF-8).
  while (end < text.length && end > 0 && (text[end]! & 0xc0) === 0x80) end -= 1
  const payload = Buffer.allocUnsafe(2 + end)
  payload.writeUInt16BE(code, 0)
  text.copy(payload, 2, 0, end)
  return frame(OPCODE.CLOSE, payload)
}
