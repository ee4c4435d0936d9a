import type { Selectable } from 'kysely'

import type { HostTable } from '../../store/index.ts'

/** A compute host in a segment. Times are milliseconds since the Unix epoch. */
export interface Host {
  readonly id: number
  readonly uuid: string
  /** As the compute platform spells it; case-sensitive. */
  readonly name: string
  readonly segmentUuid: string
  readonly type: string
  /** Kept empty so that it can take over for a host that died. */
  readonly reserved: boolean
  readonly controlAttributes: string
  /** Out of HA until an operator says otherwise. */
  readonly onMaintenance: boolean
  readonly createdAt: number
  readonly updatedAt: number | null
}

export function hostFromRow(row: Selectable<HostTable>): Host {
  return {
    id: row.id,
    uuid: row.uuid,
    name: row.name,
    segmentUuid: row.failover_segment_id,
    type: row.type,
    reserved: row.reserved !== 0,
    controlAttributes: row.control_attributes,
    onMaintenance: row.on_maintenance !== 0,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
