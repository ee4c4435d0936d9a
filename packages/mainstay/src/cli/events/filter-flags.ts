import type { StreamFilters } from '../../client/index.ts'
import type { Severity } from '../../core/event.ts'
import { oneOf } from '../one-of.ts'

const SEVERITIES = ['debug', 'info', 'warning', 'error', 'critical'] as const satisfies readonly Severity[]

/** The flags that choose events. */
export interface FilterFlags {
  readonly event?: readonly string[]
  readonly node?: readonly string[]
  readonly service?: readonly string[]
  readonly severity?: Severity
  readonly resource?: readonly string[]
  readonly project?: readonly string[]
  readonly correlation?: readonly string[]
}

const repeated = <const Placeholder extends string>(placeholder: Placeholder, brief: string) =>
  ({ kind: 'parsed', parse: String, optional: true, variadic: true, placeholder, brief }) as const

export const filterFlags = {
  event: repeated(
    'PATTERN',
    'Only events of this type: exactly, or a pattern such as recovery.** or !**.end; may be repeated',
  ),
  node: repeated('PATTERN', 'Only events of this node; may be a glob, and repeated'),
  service: repeated(
    'PATTERN',
    'Only events of this service, the first word of the type; may be a pattern, and repeated',
  ),
  severity: {
    ...oneOf(SEVERITIES),
    kind: 'parsed',
    optional: true,
    placeholder: 'SEVERITY',
    brief: 'Only events that are at least so severe: debug, info, warning, error or critical',
  },
  resource: repeated('ID', 'Only events of this resource; may be repeated'),
  project: repeated('ID', 'Only events of this project; may be repeated'),
  correlation: repeated('REQUEST', 'Only events that this request led to; may be repeated'),
} as const

export function filtersOf(flags: FilterFlags): StreamFilters {
  return {
    event_filters: flags.event,
    node_filters: flags.node,
    service_filters: flags.service,
    min_severity: flags.severity,
    resource_ids: flags.resource,
    project_ids: flags.project,
    correlation_ids: flags.correlation,
  }
}
