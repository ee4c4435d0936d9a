import { crc32 } from 'node:zlib'

import { isJsonObject, parseJson, toJson, type JsonObject } from '../../core/json.ts'

/**
 * One line of a spool file: eight hexadecimal digits of the CRC-32 of the text, a space, the event's JSON. JSON has no
 * line break of its own, so a line that is cut off, or was never written as a whole, is recognised.
 */
export function encodeRecord(event: object): Buffer {
  const text = Buffer.from(toJson(event))
  return Buffer.concat([Buffer.from(`${checksum(text)} `), text, Buffer.from('\n')])
}

/** @returns the event, or undefined when the line is damaged */
export function decodeRecord(line: Buffer): JsonObject | undefined {
  const text = line.subarray(9)
  if (line.length < 11 || line.subarray(0, 9).toString('latin1') !== `${checksum(text)} `) return undefined
  const value = parseJson(text.toString('utf8'), 'an event of the spool')
  return isJsonObject(value) ? value : undefined
}

/** The whole lines at the front of what was read, without their ends. */
export function wholeLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  let start = 0
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  return lines
}

function checksum(text: Buffer): string {
  return crc32(text).toString(16).padStart(8, '0')
}
