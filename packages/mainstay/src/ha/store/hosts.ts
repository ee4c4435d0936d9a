import type { Queries } from '../../store/index.ts'
import { hostFromRow, type Host } from '../records/host.ts'
import { wholeSeconds } from './whole-seconds.ts'

export interface NewHost {
  readonly uuid: string
  readonly name: string
  readonly segmentUuid: string
  readonly type: string
  readonly controlAttributes: string
  readonly reserved: boolean
  readonly onMaintenance: boolean
}

export type HostPatch = Partial<Omit<NewHost, 'uuid' | 'segmentUuid'>>

/** The host with exactly this id, unless it is deleted. */
export async function findHost(queries: Queries, uuid: string): Promise<Host | undefined> {
  const row = await queries
    .selectFrom('hosts')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('deleted', '=', 0)
    .executeTakeFirst()
  return row === undefined ? undefined : hostFromRow(row)
}

/** The host with exactly this name, in whichever segment. */
export async function findHostByName(queries: Queries, name: string): Promise<Host | undefined> {
  const row = await queries
    .selectFrom('hosts')
    .selectAll()
    .where('name', '=', name)
    .where('deleted', '=', 0)
    .executeTakeFirst()
  return row === undefined ? undefined : hostFromRow(row)
}

/** The name of a host, also of one that is deleted; undefined when nothing is left of it. */
export async function nameOfHost(queries: Queries, uuid: string): Promise<string | undefined> {
  const row = await queries.selectFrom('hosts').select('name').where('uuid', '=', uuid).executeTakeFirst()
  return row?.name
}

/** All hosts of a segment, oldest first. */
export async function listSegmentHosts(queries: Queries, segmentUuid: string): Promise<Host[]> {
  const rows = await queries
    .selectFrom('hosts')
    .selectAll()
    .where('failover_segment_id', '=', segmentUuid)
    .where('deleted', '=', 0)
    .orderBy('id')
    .execute()
  return rows.map(hostFromRow)
}

/** The hosts that may take over for a dead one: reserved, not on maintenance, the newest first. */
export async function listReservedCandidates(queries: Queries, segmentUuid: string): Promise<Host[]> {
  const rows = await queries
    .selectFrom('hosts')
    .selectAll()
    .where('failover_segment_id', '=', segmentUuid)
    .where('reserved', '=', 1)
    .where('on_maintenance', '=', 0)
    .where('deleted', '=', 0)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute()
  return rows.map(hostFromRow)
}

/** @throws StoreConflictError when the name is taken */
export async function insertHost(queries: Queries, host: NewHost, nowMs: number): Promise<Host> {
  const row = await queries
    .insertInto('hosts')
    .values({
      uuid: host.uuid,
      name: host.name,
      failover_segment_id: host.segmentUuid,
      type: host.type,
      control_attributes: host.controlAttributes,
      reserved: host.reserved ? 1 : 0,
      on_maintenance: host.onMaintenance ? 1 : 0,
      created_at: wholeSeconds(nowMs),
      updated_at: null,
      deleted_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return hostFromRow(row)
}

/** Changes a host; one that stays the same keeps its `updatedAt`. @throws StoreConflictError */
export async function updateHost(queries: Queries, host: Host, patch: HostPatch, nowMs: number): Promise<Host> {
  const next = { ...host, ...patch }
  const same =
    next.name === host.name &&
    next.type === host.type &&
    next.controlAttributes === host.controlAttributes &&
    next.reserved === host.reserved &&
    next.onMaintenance === host.onMaintenance
  if (same) return host
  const row = await queries
    .updateTable('hosts')
    .set({
      name: next.name,
      type: next.type,
      control_attributes: next.controlAttributes,
      reserved: next.reserved ? 1 : 0,
      on_maintenance: next.onMaintenance ? 1 : 0,
      updated_at: wholeSeconds(nowMs),
    })
    .where('id', '=', host.id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return hostFromRow(row)
}

/**
 * Sets what the engine may set of a host.
 *
 * @returns the host as it is now, or undefined when it is deleted
 */
export async function setHostFlags(
  queries: Queries,
  uuid: string,
  flags: { onMaintenance?: boolean; reserved?: boolean },
  nowMs: number,
): Promise<Host | undefined> {
  const host = await findHost(queries, uuid)
  return host === undefined ? undefined : await updateHost(queries, host, flags, nowMs)
}

/** Soft-deletes a host; its name is free then. */
export async function deleteHost(queries: Queries, host: Host, nowMs: number): Promise<void> {
  await queries
    .updateTable('hosts')
    .set({ deleted: host.id, deleted_at: wholeSeconds(nowMs) })
    .where('id', '=', host.id)
    .execute()
}
