import type { Selectable } from 'kysely'

import type { FailoverSegmentTable } from '../../store/index.ts'

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

export function segmentFromRow(row: Selectable<FailoverSegmentTable>): Segment {
  return {
    id: row.id,
    uuid: row.uuid,
    name: row.name,
    serviceType: row.service_type,
    enabled: row.enabled !== 0,
    description: row.description,
    recoveryMethod: row.recovery_method as RecoveryMethod,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
