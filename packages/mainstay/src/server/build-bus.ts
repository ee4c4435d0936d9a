import type { Clock } from '../core/clock.ts'
import type { Ids } from '../core/ids.ts'
import type { Lifecycle } from '../core/lifecycle.ts'
import type { Logger } from '../core/logging.ts'
import type { TaskGroup } from '../core/task-group.ts'
import { BusRelay, BusTeller, RabbitmqSender } from '../ha/index.ts'
import type { Store } from '../store/index.ts'
import type { Config } from './config/schema.ts'

/** Connects to the message bus, where one is configured. */
export function connectBus(
  config: Config,
  deps: { clock: Clock; logger: Logger },
  lifecycle: Lifecycle,
): RabbitmqSender | undefined {
  const { driver, url, topics } = config.notifications
  if (driver !== 'rabbitmq' || url === '') return undefined
  const sender = new RabbitmqSender({ ...deps, url, topics })
  lifecycle.started('message bus', async () => await sender.close({ timeoutMs: config.server.shutdown_grace_ms }))
  return sender
}

/**
 * Begins to carry notifications to the bus; what is left when this process ends, the next one carries.
 *
 * @returns what takes them
 */
export function startBus(
  { notifications }: Config,
  sender: RabbitmqSender,
  parts: { store: Store; clock: Clock; ids: Ids; tasks: TaskGroup; logger: Logger },
): BusTeller {
  const { poll_ms: pollMs, keep_ms: keepMs } = notifications
  const relay = new BusRelay({
    ...parts,
    deliver: async (message, options) => await sender.deliver(message, options),
    pollMs,
    keepMs,
  })
  relay.start()
  return new BusTeller({ ...parts, relay })
}
