import type { Insertable } from 'kysely'

import { InvalidInputError } from '../../core/errors.ts'
import { canonicalJson, isJsonObject, parseJson, toJson, type JsonObject, type Json } from '../../core/json.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { NOTIFICATION_STATUSES } from '../records/notification.ts'
import { RECOVERY_METHODS } from '../records/segment.ts'
import type { FailoverSegmentTable, HostTable, NotificationTable, VmoveTable } from '../../store/index.ts'
import type { SourceRow } from './source.ts'

/** What the ids of every database can be. Source: ha-api.md 23. */
const LARGEST_ID = 2 ** 31 - 1

/** Rows of a Masakari database as ours. Ids are kept, so that markers and links stay right. Source: ha-api.md 23. Pure. */

interface SoftDeleted {
  readonly id: number
  readonly created_at: number
  readonly updated_at: number | null
  readonly deleted_at: number | null
  readonly deleted: number
}

export function segmentRow(row: SourceRow): Insertable<FailoverSegmentTable> {
  return {
    ...softDeleted(row),
    uuid: text(row, 'uuid'),
    name: text(row, 'name'),
    service_type: text(row, 'service_type'),
    enabled: flag(row, 'enabled', 1),
    description: optionalText(row, 'description'),
    recovery_method: oneOf(row, 'recovery_method', RECOVERY_METHODS),
  }
}

/** @param segment finds the uuid of a segment as it is stored */
export function hostRow(row: SourceRow, segment: (uuid: string) => string | undefined): Insertable<HostTable> {
  const segmentUuid = segment(text(row, 'failover_segment_id'))
  if (segmentUuid === undefined) throw unusable(row, 'failover_segment_id', 'there is no such segment')
  return {
    ...softDeleted(row),
    uuid: text(row, 'uuid'),
    name: text(row, 'name'),
    reserved: flag(row, 'reserved', 0),
    type: text(row, 'type'),
    control_attributes: text(row, 'control_attributes'),
    on_maintenance: flag(row, 'on_maintenance', 0),
    failover_segment_id: segmentUuid,
  }
}

/** @param segmentOf finds the segment of a host, for releases that did not store it with the notification */
export function notificationRow(
  row: SourceRow,
  segmentOf: (hostUuid: string) => string | undefined,
): Insertable<NotificationTable> {
  const source = text(row, 'source_host_uuid')
  return {
    ...softDeleted(row),
    notification_uuid: text(row, 'notification_uuid'),
    generated_time: requiredTime(row, 'generated_time'),
    source_host_uuid: source,
    type: text(row, 'type'),
    payload: canonicalJson(payload(row)),
    status: oneOf(row, 'status', NOTIFICATION_STATUSES),
    failover_segment_uuid: optionalText(row, 'failover_segment_uuid') ?? segmentOf(source) ?? null,
    message: optionalText(row, 'message'),
    idempotency_key: null,
  }
}

export function vmoveRow(row: SourceRow): Insertable<VmoveTable> {
  return {
    ...softDeleted(row),
    uuid: text(row, 'uuid'),
    notification_uuid: text(row, 'notification_uuid'),
    instance_uuid: text(row, 'instance_uuid'),
    instance_name: text(row, 'instance_name'),
    source_host: optionalText(row, 'source_host'),
    dest_host: optionalText(row, 'dest_host'),
    start_time: time(row, 'start_time'),
    end_time: time(row, 'end_time'),
    type: optionalText(row, 'type'),
    status: optionalText(row, 'status'),
    message: optionalText(row, 'message'),
  }
}

function softDeleted(row: SourceRow): SoftDeleted {
  return {
    id: integer(row, 'id'),
    created_at: time(row, 'created_at') ?? 0,
    updated_at: time(row, 'updated_at'),
    deleted_at: time(row, 'deleted_at'),
    deleted: row['deleted'] === null || row['deleted'] === undefined ? 0 : integer(row, 'deleted'),
  }
}

function payload(row: SourceRow): JsonObject {
  const stored = row['payload'] ?? null
  if (isJsonObject(stored)) return stored
  const value = optionalText(row, 'payload')
  if (value === null || value === '') return {}
  const parsed: Json = parseJson(value, `the payload of notification ${optionalText(row, 'notification_uuid')}`)
  return isJsonObject(parsed) ? parsed : {}
}

function text(row: SourceRow, column: string): string {
  const value = optionalText(row, column)
  if (value === null) throw unusable(row, column)
  return value
}

function optionalText(row: SourceRow, column: string): string | null {
  const value = row[column] ?? null
  const found = value === null || typeof value === 'string' ? value : toJson(value)
  // PostgreSQL stores none, and whoever shows one may break the line off there.
  if (found?.includes('\0') === true) throw unusable(row, column, 'it has a NUL in it')
  return found
}

function oneOf(row: SourceRow, column: string, allowed: readonly string[]): string {
  const value = text(row, column)
  if (!allowed.includes(value)) throw unusable(row, column, `it must be one of ${allowed.join(', ')}`)
  return value
}

/** An id, or the id that marks a deleted record. */
function integer(row: SourceRow, column: string): number {
  const value = Number(row[column])
  if (!Number.isInteger(value)) throw unusable(row, column)
  if (value < 0 || value > LARGEST_ID) throw unusable(row, column, `it must be at most ${LARGEST_ID}`)
  return value
}

function flag(row: SourceRow, column: string, missing: 0 | 1): 0 | 1 {
  const value = row[column] ?? null
  if (value === null) return missing
  return Number(value) === 0 ? 0 : 1
}

function time(row: SourceRow, column: string): number | null {
  const value = optionalText(row, column)
  if (value === null) return null
  const parsed = parseTimestamp(value)
  if (parsed === undefined) throw unusable(row, column)
  return parsed
}

function requiredTime(row: SourceRow, column: string): number {
  const value = time(row, column)
  if (value === null) throw unusable(row, column)
  return value
}

function unusable(row: SourceRow, column: string, why?: string): InvalidInputError {
  const id = [row['uuid'], row['notification_uuid'], row['id'], '?'].find(
    (value) => value !== null && value !== undefined,
  )
  const value = toJson(row[column] ?? null)
  return new InvalidInputError(
    `The column ${column} of record ${typeof id === 'string' ? id : toJson(id ?? null)} cannot be imported ` +
      `(${why === undefined ? '' : `${why}, not `}${value}). ` +
      'Correct or delete the record in the old database. Nothing was imported.',
  )
}
