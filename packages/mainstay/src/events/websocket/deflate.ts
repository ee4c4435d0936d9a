import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'

/** What both sides agreed on: no window outlives its message, so that each can be made once and sent to many. */
export const DEFLATE_RESPONSE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'

/** Messages below this are sent as they are. Source: event-stream.md R26. */
export const DEFLATE_FROM_BYTES = 1024

/** What every flushed block ends with, and every message leaves out. Source: RFC 7692, 7.2.1. */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff])

const PARAMETERS = new Set([
  'server_no_context_takeover',
  'client_no_context_takeover',
  'server_max_window_bits',
  'client_max_window_bits',
])

/**
 * Whether one of the offers of `Sec-WebSocket-Extensions` is compression that this side can do. A smaller window for
 * the server is not: zlib cannot make the smallest of them.
 *
 * Source: RFC 7692, 7.1.
 */
export function offersDeflate(header: string | undefined): boolean {
  if (header === undefined) return false
  return header.split(',').some((offer) => {
    const [name, ...parameters] = offer.split(';').map((part) => part.trim())
    if (name !== 'permessage-deflate') return false
    const names = parameters.map((parameter) => parameter.split('=')[0]!.trim())
    if (new Set(names).size !== names.length) return false
    return names.every((each) => PARAMETERS.has(each) && each !== 'server_max_window_bits')
  })
}

/** Compresses a part of a message so that another block may stand before it. */
export function deflate(bytes: Buffer): Buffer {
  const compressed = deflateRawSync(bytes, { level: 1, finishFlush: constants.Z_SYNC_FLUSH })
  return compressed.subarray(0, compressed.length - TAIL.length)
}

/** @throws RangeError when it becomes longer than `maxBytes`, Error when it is not compressed data */
export function inflate(payload: Buffer, maxBytes: number): Buffer {
  return inflateRawSync(Buffer.concat([payload, TAIL]), {
    maxOutputLength: maxBytes,
    finishFlush: constants.Z_SYNC_FLUSH,
  })
}

/** Bytes that stand before what a stored block holds. Source: RFC 1951, 3.2.4. */
export const STORED_BLOCK_HEADER_BYTES = 5

/** Begins a block of so many bytes as they are, after which other blocks follow. @returns where its bytes begin */
export function writeStoredBlockHeader(target: Buffer, at: number, length: number): number {
  target[at] = 0
  target.writeUInt16LE(length, at + 1)
  target.writeUInt16LE(~length & 0xffff, at + 3)
  return at + STORED_BLOCK_HEADER_BYTES
}
