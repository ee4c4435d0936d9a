import type { Selectable } from 'kysely'

import { valuesOf, type FailoverSegmentTable, type ValuesOf } from '../../store/index.ts'

export const RECOVERY_METHODS = ['auto', 'reserved_host', 'auto_priority', 'rh_priority'] as const

/** How the guests of a dead host are placed. Source: ha-api.md 6.2, 12. */
export type RecoveryMethod = (typeof RECOVERY_METHODS)[number]

/** A group of hosts that stand in for each other. Times are milliseconds since the Unix epoch. */
export interface Segment {
  readonly id: number
  readonly uuid: string
  readonly name: string
  readonly serviceType: string
  readonly enabled: boolean
  readonly description: string | null
  readonly recoveryMethod: RecoveryMethod
  readonly createdAt: number
  readonly updatedAt: number | null
}

/** What a segment is made of, in the order of {@link segmentFromValues}. */
export const SEGMENT_COLUMNS = [
  ['id', 'integer'],
  ['uuid', 'text'],
  ['name', 'text'],
  ['service_type', 'text'],
  ['enabled', 'integer'],
  ['description', 'text?'],
  ['recovery_method', 'text'],
  ['created_at', 'integer'],
  ['updated_at', 'integer?'],
] as const

export function segmentFromValues(values: ValuesOf<typeof SEGMENT_COLUMNS>): Segment {
  const [id, uuid, name, serviceType, enabled, description, recoveryMethod, createdAt, updatedAt] = values
  return {
    id,
    uuid,
    name,
    serviceType,
    enabled: enabled !== 0,
    description,
    recoveryMethod: recoveryMethod as RecoveryMethod,
    createdAt,
    updatedAt,
  }
}

export function segmentFromRow(row: Selectable<FailoverSegmentTable>): Segment {
  return segmentFromValues(valuesOf(SEGMENT_COLUMNS, row))
}
