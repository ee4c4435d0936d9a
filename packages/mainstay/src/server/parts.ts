import type { Clock } from '../core/clock.ts'
import type { SystemIds } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import type { Metrics } from '../core/metrics.ts'
import type { TaskGroup } from '../core/task-group.ts'
import type { Notifier } from '../ha/index.ts'
import type { Engine } from '../journal/index.ts'
import type { BuiltEvents } from './build-events/open-events.ts'
import type { BuiltNotifications } from './build-events/start-notifications.ts'
import type { BuiltCompute } from './build-compute.ts'
import type { BuiltStore } from './build-store.ts'
import type { Config } from './config/schema.ts'
import type { OutboxRelay } from './outbox-relay.ts'

/** Everything that the parts of the program share. */
export interface Parts {
  readonly config: Config
  readonly clock: Clock
  readonly ids: SystemIds
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tasks: TaskGroup
  readonly store: BuiltStore
  /** The event stream, where this process has the role. */
  readonly events: BuiltEvents | null
  /** What is taken in from other programs, where this process has the role `events`. */
  readonly notifications: BuiltNotifications | null
  readonly compute: BuiltCompute
  readonly engine: Engine
  readonly relay: OutboxRelay
  /** The message bus, where one is configured. */
  readonly bus: Notifier | undefined
  /** What another configuration changes while the program runs. */
  readonly mutable: { retryNewAfterMs: number }
}
