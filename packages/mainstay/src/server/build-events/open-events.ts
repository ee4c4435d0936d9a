import { hostname } from 'node:os'
import { join } from 'node:path'

import { withDeadline } from '../../core/deadline.ts'
import type { Lifecycle } from '../../core/lifecycle.ts'
import { SystemRandom } from '../../core/random.ts'
import { EventLogUnavailableError } from '../../events/errors.ts'
import { IngestMetrics } from '../../events/ingest-metrics.ts'
import { EventIngest } from '../../events/ingest.ts'
import type { EventLog } from '../../events/log.ts'
import { EventSpool } from '../../events/spool/spool.ts'
import { dataDirectory } from '../build-store.ts'
import type { Config } from '../config/schema.ts'
import type { EventsDependencies } from './events-dependencies.ts'
import { openEventLog } from './open-event-log.ts'

/** The event stream of this process: where events are and the way in. */
export interface BuiltEvents {
  readonly log: EventLog
  readonly ingest: EventIngest
  /** Names this process as the publisher of our own events. */
  readonly publisherId: string
  /** What the banner says of the log. */
  readonly description: string
  /** Looks whether the log takes events. @throws EventLogUnavailableError when it does not */
  readonly check: () => Promise<void>
}

/** How long a look at the log may take. */
const CHECK_TIMEOUT_MS = 5000

/**
 * Opens log and spool, where this process has the role `events`.
 *
 * @throws what {@link openEventLog} throws, EventSpoolUnwritableError
 */
export async function openEvents(
  config: Config,
  deps: EventsDependencies,
  lifecycle: Lifecycle,
): Promise<BuiltEvents | null> {
  if (!config.server.roles.includes('events')) return null
  const { clock, logger, metrics } = deps
  const { log, description } = await openEventLog(config, deps)
  lifecycle.started('event log', async () => await log.close())
  const directory = join(dataDirectory(config), 'event-spool')
  const spool = await EventSpool.open({ directory, logger, maxBytes: config.events.spool_bytes })
  const ingest = new EventIngest({
    log,
    spool,
    clock,
    logger,
    random: new SystemRandom(),
    metrics: new IngestMetrics(metrics, () => spool.bytes),
    maxEventBytes: config.events.max_event_bytes,
  })
  lifecycle.started('event intake', async () => await ingest.close())
  const check = async (): Promise<void> => {
    if (ingest.trouble !== undefined) throw new EventLogUnavailableError(ingest.trouble)
    const bounds = { clock, what: 'Looking at the event log', timeoutMs: CHECK_TIMEOUT_MS }
    await withDeadline(bounds, async () => void (await log.extent()))
  }
  return { log, ingest, publisherId: `mainstay:${hostname()}`, description, check }
}
