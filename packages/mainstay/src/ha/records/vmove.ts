import type { Selectable } from 'kysely'

import { valuesOf, type VmoveTable, type ValuesOf } from '../../store/index.ts'

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

/** What a move is made of, in the order of {@link vmoveFromValues}. */
export const VMOVE_COLUMNS = [
  ['id', 'integer'],
  ['uuid', 'text'],
  ['notification_uuid', 'text'],
  ['instance_uuid', 'text'],
  ['instance_name', 'text'],
  ['source_host', 'text?'],
  ['dest_host', 'text?'],
  ['start_time', 'integer?'],
  ['end_time', 'integer?'],
  ['type', 'text?'],
  ['status', 'text?'],
  ['message', 'text?'],
  ['created_at', 'integer'],
  ['updated_at', 'integer?'],
] as const

export function vmoveFromValues(values: ValuesOf<typeof VMOVE_COLUMNS>): Vmove {
  const [
    id,
    uuid,
    notificationUuid,
    instanceUuid,
    instanceName,
    sourceHost,
    destHost,
    startTime,
    endTime,
    type,
    status,
    message,
    createdAt,
    updatedAt,
  ] = values
  return {
    id,
    uuid,
    notificationUuid,
    instanceUuid,
    instanceName,
    sourceHost,
    destHost,
    startTime,
    endTime,
    type: type as VmoveType | null,
    status: status as VmoveStatus | null,
    message,
    createdAt,
    updatedAt,
  }
}

export function vmoveFromRow(row: Selectable<VmoveTable>): Vmove {
  return vmoveFromValues(valuesOf(VMOVE_COLUMNS, row))
}
