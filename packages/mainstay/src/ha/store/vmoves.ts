import type { Queries } from '../../store/index.ts'
import { vmoveFromRow, type Vmove, type VmoveStatus, type VmoveType } from '../records/vmove.ts'
import { wholeSeconds } from './whole-seconds.ts'

export interface NewVmove {
  readonly uuid: string
  readonly notificationUuid: string
  readonly instanceUuid: string
  readonly instanceName: string
  readonly sourceHost: string
  readonly destHost?: string | null
  readonly type?: VmoveType
  readonly status?: VmoveStatus
  readonly message?: string | null
}

export interface VmovePatch {
  readonly destHost?: string | null
  readonly startTime?: number | null
  readonly endTime?: number | null
  readonly status?: VmoveStatus
  readonly message?: string | null
}

/** Rows of one insert: PostgreSQL takes at most 65,535 parameters, SQLite 32,766. */
const ROWS_PER_INSERT = 1000

/** Stores moves that are about to happen; `pending` evacuations unless told otherwise. */
export async function createVmoves(queries: Queries, moves: readonly NewVmove[], nowMs: number): Promise<Vmove[]> {
  const created: Vmove[] = []
  for (let start = 0; start < moves.length; start += ROWS_PER_INSERT) {
    const rows = await queries
      .insertInto('vmoves')
      .values(
        moves.slice(start, start + ROWS_PER_INSERT).map((move) => ({
          uuid: move.uuid,
          notification_uuid: move.notificationUuid,
          instance_uuid: move.instanceUuid,
          instance_name: move.instanceName,
          source_host: move.sourceHost,
          dest_host: move.destHost ?? null,
          start_time: null,
          end_time: null,
          type: move.type ?? 'evacuation',
          status: move.status ?? 'pending',
          message: move.message ?? null,
          created_at: wholeSeconds(nowMs),
          updated_at: null,
          deleted_at: null,
        })),
      )
      .returningAll()
      .execute()
    created.push(...rows.map(vmoveFromRow))
  }
  return created.sort((a, b) => a.id - b.id)
}

/** @returns the move as it is now, or undefined when there is none */
export async function updateVmove(
  queries: Queries,
  uuid: string,
  patch: VmovePatch,
  nowMs: number,
): Promise<Vmove | undefined> {
  const row = await queries
    .updateTable('vmoves')
    .set({
      updated_at: wholeSeconds(nowMs),
      ...(patch.destHost === undefined ? {} : { dest_host: patch.destHost }),
      ...(patch.startTime === undefined ? {} : { start_time: patch.startTime }),
      ...(patch.endTime === undefined ? {} : { end_time: patch.endTime }),
      ...(patch.status === undefined ? {} : { status: patch.status }),
      ...(patch.message === undefined ? {} : { message: patch.message }),
    })
    .where('uuid', '=', uuid)
    .where('deleted', '=', 0)
    .returningAll()
    .executeTakeFirst()
  return row === undefined ? undefined : vmoveFromRow(row)
}

export async function findVmove(queries: Queries, uuid: string): Promise<Vmove | undefined> {
  const row = await queries
    .selectFrom('vmoves')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('deleted', '=', 0)
    .executeTakeFirst()
  return row === undefined ? undefined : vmoveFromRow(row)
}

/** All moves of a notification, oldest first. */
export async function listVmoves(queries: Queries, notificationUuid: string): Promise<Vmove[]> {
  const rows = await queries
    .selectFrom('vmoves')
    .selectAll()
    .where('notification_uuid', '=', notificationUuid)
    .where('deleted', '=', 0)
    .orderBy('id')
    .execute()
  return rows.map(vmoveFromRow)
}
