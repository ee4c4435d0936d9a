import type { Selectable } from 'kysely'

import { valuesOf, type HostTable, type ValuesOf } from '../../store/index.ts'

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

/** What a host is made of, in the order of {@link hostFromValues}. */
export const HOST_COLUMNS = [
  ['id', 'integer'],
  ['uuid', 'text'],
  ['name', 'text'],
  ['failover_segment_id', 'text'],
  ['type', 'text'],
  ['reserved', 'integer'],
  ['control_attributes', 'text'],
  ['on_maintenance', 'integer'],
  ['created_at', 'integer'],
  ['updated_at', 'integer?'],
] as const

export function hostFromValues(values: ValuesOf<typeof HOST_COLUMNS>): Host {
  const [id, uuid, name, segmentUuid, type, reserved, controlAttributes, onMaintenance, createdAt, updatedAt] = values
  return {
    id,
    uuid,
    name,
    segmentUuid,
    type,
    reserved: reserved !== 0,
    controlAttributes,
    onMaintenance: onMaintenance !== 0,
    createdAt,
    updatedAt,
  }
}

export function hostFromRow(row: Selectable<HostTable>): Host {
  return hostFromValues(valuesOf(HOST_COLUMNS, row))
}
