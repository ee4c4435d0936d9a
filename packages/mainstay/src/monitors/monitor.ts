import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/logging.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Random } from '../core/random.ts'
import type { TaskGroup } from '../core/task-group.ts'
import type { AgentOptions } from './agent-options.ts'
import type { ReportSink } from './report.ts'

/** What one agent can watch: monitors.md sections 3 to 9. */
export const MONITOR_NAMES = ['instance', 'host', 'process', 'guest'] as const

export type MonitorName = (typeof MONITOR_NAMES)[number]

/** What every monitor is given. */
export interface MonitorContext {
  readonly sink: ReportSink
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tasks: TaskGroup
}

export interface MonitorHealth {
  /** Whether its source of truth can be reached. */
  readonly ready: boolean
  /** One sentence for a person. */
  readonly detail: string
}

export interface RunningMonitor {
  health(): MonitorHealth
  /** Takes over what can be changed in place (DL-3); the rest keeps its value until a restart. */
  reload(options: AgentOptions): void
  /** Sees nothing more, and hands over what it has seen. Bounded by its own calls, never by the API (DL-2). */
  stop(): Promise<void>
}

/**
 * A kind of monitor, as the agent starts it.
 *
 * @throws AgentConfigError, CommandNotFoundError
 */
export type StartMonitor = (context: MonitorContext, options: AgentOptions) => Promise<RunningMonitor>
