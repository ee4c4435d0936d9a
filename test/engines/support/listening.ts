import type { Clock } from '../../../packages/mainstay/src/core/clock.ts'
import type { Logger } from '../../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../../packages/mainstay/src/core/metrics.ts'
import { SystemRandom } from '../../../packages/mainstay/src/core/random.ts'
import { IngestMetrics } from '../../../packages/mainstay/src/events/ingest-metrics.ts'
import { EventIngest } from '../../../packages/mainstay/src/events/ingest.ts'
import { MemoryEventLog } from '../../../packages/mainstay/src/events/memory/log.ts'
import { NotificationListener } from '../../../packages/mainstay/src/events/openstack/notification-listener.ts'
import {
  DEFAULT_BINDINGS,
  notificationSources,
  type ServiceBindings,
} from '../../../packages/mainstay/src/events/openstack/notification-source.ts'
import { rabbitmq } from '../../../packages/mainstay/src/events/openstack/rabbitmq.ts'
import type { EventLog } from '../../../packages/mainstay/src/events/log.ts'
import type { StreamEvent } from '../../../packages/mainstay/src/events/stream-event.ts'

export interface Listening extends AsyncDisposable {
  readonly listener: NotificationListener
  readonly log: EventLog
  /** Reasons for which messages were thrown away. */
  readonly dead: readonly string[]
  events(): Promise<readonly StreamEvent[]>
}

export interface ListeningOptions {
  readonly url: string
  readonly clock: Clock
  readonly logger: Logger
  readonly bindings?: readonly ServiceBindings[]
  readonly discoveryIntervalMs?: number
  readonly log?: EventLog
  readonly prefetch?: number
  /** Stands between the listener and the log. */
  readonly wrap?: (ingest: EventIngest) => Pick<EventIngest, 'accept'>
}

/** A listener as the server builds it, with pauses that suit a test, on a log in memory unless another is given. */
export function startListening(options: ListeningOptions): Listening {
  const { url, clock, logger, bindings = DEFAULT_BINDINGS, discoveryIntervalMs = 100, prefetch = 200 } = options
  const log = options.log ?? new MemoryEventLog({ clock })
  const ingest = new EventIngest({
    log,
    spool: null,
    clock,
    random: new SystemRandom(),
    logger,
    metrics: new IngestMetrics(new Metrics(), () => 0),
  })
  const dead: string[] = []
  const listener = new NotificationListener({
    clock,
    logger,
    amqp: rabbitmq({ logger, reconnectMinMs: 50, reconnectMaxMs: 500 }),
    url,
    sources: notificationSources(bindings, 'test-listener'),
    ingest: options.wrap?.(ingest) ?? ingest,
    prefetch,
    discoveryIntervalMs,
    retryDelayMs: () => 100,
    figures: { onDeadLetter: (reason) => dead.push(reason) },
  })
  listener.start()
  return {
    listener,
    log,
    dead,
    events: async () => await log.read({ after: 0, limit: 100_000 }),
    [Symbol.asyncDispose]: async () => {
      await listener.stop()
      await ingest.close()
      await log.close()
    },
  }
}
