import type { Queries } from '../../store/index.ts'
import { segmentFromRow, type RecoveryMethod, type Segment } from '../records/segment.ts'
import { ACTIVE_STATUSES } from '../records/notification.ts'
import { wholeSeconds } from './whole-seconds.ts'

export interface NewSegment {
  readonly uuid: string
  readonly name: string
  readonly serviceType: string
  readonly recoveryMethod: RecoveryMethod
  readonly description: string | null
  readonly enabled: boolean
}

export type SegmentPatch = Partial<Omit<NewSegment, 'uuid'>>

/** The segment with exactly this id, unless it is deleted. */
export async function findSegment(queries: Queries, uuid: string): Promise<Segment | undefined> {
  const row = await queries
    .selectFrom('failover_segments')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('deleted', '=', 0)
    .executeTakeFirst()
  return row === undefined ? undefined : segmentFromRow(row)
}

export async function findSegmentByName(queries: Queries, name: string): Promise<Segment | undefined> {
  const row = await queries
    .selectFrom('failover_segments')
    .selectAll()
    .where('name', '=', name)
    .where('deleted', '=', 0)
    .executeTakeFirst()
  return row === undefined ? undefined : segmentFromRow(row)
}

/** @throws StoreConflictError when the name is taken */
export async function insertSegment(queries: Queries, segment: NewSegment, nowMs: number): Promise<Segment> {
  const row = await queries
    .insertInto('failover_segments')
    .values({
      uuid: segment.uuid,
      name: segment.name,
      service_type: segment.serviceType,
      recovery_method: segment.recoveryMethod,
      description: segment.description,
      enabled: segment.enabled ? 1 : 0,
      created_at: wholeSeconds(nowMs),
      updated_at: null,
      deleted_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return segmentFromRow(row)
}

/** Changes a segment; one that stays the same keeps its `updatedAt`. @throws StoreConflictError */
export async function updateSegment(
  queries: Queries,
  segment: Segment,
  patch: SegmentPatch,
  nowMs: number,
): Promise<Segment> {
  const next = { ...segment, ...patch }
  const same =
    next.name === segment.name &&
    next.serviceType === segment.serviceType &&
    next.recoveryMethod === segment.recoveryMethod &&
    next.description === segment.description &&
    next.enabled === segment.enabled
  if (same) return segment
  const row = await queries
    .updateTable('failover_segments')
    .set({
      name: next.name,
      service_type: next.serviceType,
      recovery_method: next.recoveryMethod,
      description: next.description,
      enabled: next.enabled ? 1 : 0,
      updated_at: wholeSeconds(nowMs),
    })
    .where('id', '=', segment.id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return segmentFromRow(row)
}

/** Soft-deletes a segment and all of its hosts. */
export async function deleteSegment(queries: Queries, segment: Segment, nowMs: number): Promise<void> {
  const deletedAt = wholeSeconds(nowMs)
  await queries
    .updateTable('hosts')
    .set((row) => ({ deleted: row.ref('id'), deleted_at: deletedAt }))
    .where('failover_segment_id', '=', segment.uuid)
    .where('deleted', '=', 0)
    .execute()
  await queries
    .updateTable('failover_segments')
    .set({ deleted: segment.id, deleted_at: deletedAt })
    .where('id', '=', segment.id)
    .execute()
}

/** Whether a notification of one of the segment's hosts is still being worked on. Source: ha-api.md 6.3. */
export async function isSegmentInUse(queries: Queries, segmentUuid: string): Promise<boolean> {
  const row = await queries
    .selectFrom('notifications')
    .innerJoin('hosts', 'hosts.uuid', 'notifications.source_host_uuid')
    .select('notifications.id')
    .where('hosts.failover_segment_id', '=', segmentUuid)
    .where('hosts.deleted', '=', 0)
    .where('notifications.deleted', '=', 0)
    .where('notifications.status', 'in', [...ACTIVE_STATUSES])
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
