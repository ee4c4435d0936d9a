import { crc32 } from 'node:zlib'

import { InvalidInputError } from '../../core/errors.ts'
import { isJsonObject, parseJson, toJson, type Json, type JsonObject } from '../../core/json.ts'
import { formatZulu, parseTimestamp } from '../../core/timestamp.ts'
import { NOTIFICATION_TYPES, isPayload, subjectOf, type NotificationType, type Report } from '../report.ts'

/** A report that waits for its delivery. */
export interface SpoolRecord {
  /** Sorts by time; sent as `Idempotency-Key`. */
  readonly id: string
  readonly subject: string
  readonly report: Report
  /** When the spool took it, in milliseconds since the Unix epoch; its time to live counts from here. */
  readonly firstSeenMs: number
  readonly attempts: number
  readonly lastError: string | null
}

/** One line of a segment: a record was taken, its delivery failed, or it is settled and of no more interest. */
export type SpoolEntry =
  | { readonly kind: 'put'; readonly record: SpoolRecord }
  | { readonly kind: 'try'; readonly id: string; readonly attempts: number; readonly lastError: string }
  | { readonly kind: 'end'; readonly id: string }

const CHECKSUM_DIGITS = 8

/** Eight hexadecimal digits of CRC-32, a space, JSON, a line feed: a torn or garbled line shows, and only it is lost. */
export function encodeEntry(entry: SpoolEntry): string {
  const json = toJson(entry.kind === 'put' ? { kind: 'put', ...storedRecord(entry.record) } : entry)
  return `${checksum(json)} ${json}\n`
}

/**
 * Reads a segment. What follows the last line feed is a torn record, which nobody was told was accepted; empty lines
 * come from a write after a failed one.
 *
 * Source: monitors.md 2.4.
 */
export function decodeSegment(text: string): { entries: SpoolEntry[]; damagedLines: number; torn: boolean } {
  const lines = text.split('\n')
  const rest = lines.pop()
  const entries: SpoolEntry[] = []
  let damagedLines = 0
  for (const line of lines) {
    const entry = decodeLine(line)
    if (entry !== undefined) entries.push(entry)
    else if (line !== '') damagedLines += 1
  }
  return { entries, damagedLines, torn: rest !== '' }
}

/** The record as the specification names its members; also the form in the dead-letter file. */
export function storedRecord(record: SpoolRecord): JsonObject {
  const { id, subject, report, firstSeenMs, attempts, lastError } = record
  return {
    id,
    subject,
    type: report.type,
    hostname: report.hostname,
    generated_time: formatZulu(report.detectedAtMs),
    payload: report.payload,
    first_seen: formatZulu(firstSeenMs),
    attempts,
    last_error: lastError,
  }
}

function decodeLine(line: string): SpoolEntry | undefined {
  const json = line.slice(CHECKSUM_DIGITS + 1)
  if (line.slice(0, CHECKSUM_DIGITS) !== checksum(json)) return undefined
  let value: Json
  try {
    value = parseJson(json, 'a line of the spool')
  } catch (error) {
    if (error instanceof InvalidInputError) return undefined
    throw error
  }
  return isJsonObject(value) ? readEntry(value) : undefined
}

function readEntry(value: JsonObject): SpoolEntry | undefined {
  const { kind, id, attempts, lastError } = value
  if (typeof id !== 'string') return undefined
  if (kind === 'end') return { kind, id }
  if (kind === 'try' && typeof attempts === 'number' && typeof lastError === 'string') {
    return { kind, id, attempts, lastError }
  }
  if (kind !== 'put') return undefined
  const record = readRecord(id, value)
  return record === undefined ? undefined : { kind, record }
}

function readRecord(id: string, value: JsonObject): SpoolRecord | undefined {
  const { type, hostname, payload, attempts, last_error: lastError } = value
  const detectedAtMs = readTime(value['generated_time'])
  const firstSeenMs = readTime(value['first_seen'])
  if (detectedAtMs === undefined || firstSeenMs === undefined) return undefined
  if (typeof hostname !== 'string' || typeof attempts !== 'number') return undefined
  if (lastError !== null && typeof lastError !== 'string') return undefined
  if (!isNotificationType(type) || !isJsonObject(payload) || !isPayload(type, payload)) return undefined
  const report = { type, hostname, detectedAtMs, payload } as Report
  return { id, subject: subjectOf(report), report, firstSeenMs, attempts, lastError }
}

function readTime(value: Json | undefined): number | undefined {
  return typeof value === 'string' ? parseTimestamp(value) : undefined
}

function isNotificationType(value: Json | undefined): value is NotificationType {
  return NOTIFICATION_TYPES.some((type) => type === value)
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(CHECKSUM_DIGITS, '0')
}
