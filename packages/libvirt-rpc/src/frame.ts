import { LibvirtProtocolError } from './errors.ts'
import { Limit } from './limits.ts'
import { XdrWriter } from './xdr-writer.ts'

/**
 * One message on the wire (monitors.md 7.6): a length word that counts itself, six header words, the body. All words are
 * 32 bits, big-endian.
 */
export interface FrameHeader {
  readonly program: number
  readonly version: number
  readonly procedure: number
  /** One of `FrameType`; other numbers are possible and are ignored by the channel. */
  readonly type: number
  readonly serial: number
  /** One of `FrameStatus`. */
  readonly status: number
}

export interface Frame extends FrameHeader {
  readonly body: Buffer
}

export const FrameType = { CALL: 0, REPLY: 1, MESSAGE: 2, STREAM: 3, CALL_WITH_FDS: 4, REPLY_WITH_FDS: 5 } as const
export const FrameStatus = { OK: 0, ERROR: 1, CONTINUE: 2 } as const

export const LENGTH_BYTES = 4
export const HEADER_BYTES = 24

/** Builds a whole message. Throws `LibvirtArgumentError` when the body cannot be carried. */
export function encodeFrame(header: FrameHeader, writeBody?: (writer: XdrWriter) => void): Buffer {
  const writer = new XdrWriter()
  writer
    .u32(0)
    .u32(header.program)
    .u32(header.version)
    .i32(header.procedure)
    .u32(header.type)
    .u32(header.serial)
    .u32(header.status)
  writeBody?.(writer)
  writer.patchU32(0, writer.length)
  return writer.bytes()
}

/** Reads one whole message, as `FrameSplitter` cuts them. */
export function decodeFrame(bytes: Buffer): Frame {
  checkFrameLength(bytes.length)
  return {
    program: bytes.readUInt32BE(4),
    version: bytes.readUInt32BE(8),
    procedure: bytes.readInt32BE(12),
    type: bytes.readUInt32BE(16),
    serial: bytes.readUInt32BE(20),
    status: bytes.readUInt32BE(24),
    body: bytes.subarray(LENGTH_BYTES + HEADER_BYTES),
  }
}

/** Throws `LibvirtProtocolError` for a length that no message can have. */
export function checkFrameLength(length: number): void {
  if (length >= LENGTH_BYTES + HEADER_BYTES && length <= Limit.MESSAGE_BYTES) return
  throw new LibvirtProtocolError(
    `A message claims to be ${length} bytes long; libvirt's are ${LENGTH_BYTES + HEADER_BYTES} to ` +
      `${Limit.MESSAGE_BYTES}. Is this the socket of a libvirt daemon, without TLS?`,
  )
}
