import type { Selectable } from 'kysely'

import type { VmoveTable } from '../../store/index.ts'

export type VmoveType = 'evacuation' | 'migration' | 'live_migration'
export type VmoveStatus = 'pending' | 'ongoing' | 'ignored' | 'failed' | 'succeeded'

/** One attempt to bring one guest elsewhere. Times are milliseconds since the Unix epoch. Source: ha-api.md 9. */
export interface Vmove {
  readonly id: number
  readonly uuid: string
  readonly notificationUuid: string
  readonly instanceUuid: string
  readonly instanceName: string
  readonly sourceHost: string | null
  readonly destHost: string | null
  readonly startTime: number | null
  readonly endTime: number | null
  readonly type: VmoveType | null
  readonly status: VmoveStatus | null
  readonly message: string | null
  readonly createdAt: number
  readonly updatedAt: number | null
}

export function vmoveFromRow(row: Selectable<VmoveTable>): Vmove {
  return {
    id: row.id,
    uuid: row.uuid,
    notificationUuid: row.notification_uuid,
    instanceUuid: row.instance_uuid,
    instanceName: row.instance_name,
    sourceHost: row.source_host,
    destHost: row.dest_host,
    startTime: row.start_time,
    endTime: row.end_time,
    type: row.type as VmoveType | null,
    status: row.status as VmoveStatus | null,
    message: row.message,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
