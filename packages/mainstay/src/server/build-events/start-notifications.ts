import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { InvalidInputError, ShutdownError, errorMessage } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Lifecycle } from '../../core/lifecycle.ts'
import { SystemRandom } from '../../core/random.ts'
import { bridgeRedisFromUrl } from '../../events/compat/bridge-redis.ts'
import { EventBridge } from '../../events/compat/event-bridge.ts'
import { redisDriver } from '../../events/compat/redis-driver.ts'
import { BaremetalEvents } from '../../events/openstack/baremetal-events.ts'
import { bridgedEvents } from '../../events/openstack/bridged-events.ts'
import { commandInventory, NO_INVENTORY } from '../../events/openstack/command-inventory.ts'
import { NotificationListener } from '../../events/openstack/notification-listener.ts'
import {
  DEFAULT_BINDINGS,
  notificationSources,
  OSISM_BINDINGS,
  OSISM_QUEUE_PREFIX,
  type NotificationSource,
} from '../../events/openstack/notification-source.ts'
import { DEFAULT_READ_LIMITS } from '../../events/openstack/oslo-notification.ts'
import { rabbitmq } from '../../events/openstack/rabbitmq.ts'
import { EventSpool } from '../../events/spool/spool.ts'
import { reconnectPauseMs } from '../../store/redis/index.ts'
import { dataDirectory } from '../build-store.ts'
import type { Config } from '../config/schema.ts'
import type { EventsDependencies } from './events-dependencies.ts'
import { NotificationMetrics } from './notification-metrics.ts'
import type { BuiltEvents } from './open-events.ts'

/** What is taken in from other programs. */
export interface BuiltNotifications {
  readonly baremetal: BaremetalEvents
  /** What must hold before requests are sent here, and what is only told of. */
  readonly readiness: Readonly<Record<string, () => Promise<void>>>
  readonly notices: Readonly<Record<string, () => Promise<void>>>
}

interface NotificationParts extends EventsDependencies {
  readonly config: Config
  readonly events: BuiltEvents
  /** Whether other processes use the same log. */
  readonly shared: boolean
  readonly lifecycle: Lifecycle
}

/** Queues of ours, unless the configuration says otherwise. */
const QUEUE_PREFIX = 'mainstay-listener'

/**
 * Listens to the broker, and to a channel of Redis, where they are configured.
 *
 * Source: event-stream.md section 7 and 8.
 *
 * @throws InvalidInputError, EventSpoolUnwritableError
 */
export async function startNotifications(parts: NotificationParts): Promise<BuiltNotifications> {
  const { config, lifecycle, metrics } = parts
  const { bridge: options, openstack } = config.events
  if (options.input_channel !== '' && options.input_channel === options.output_channel) {
    throw new InvalidInputError(
      'events.bridge.input_channel and output_channel are the same: every event would come back. Choose two.',
    )
  }
  const figures = new NotificationMetrics(metrics)
  const readiness: Record<string, () => Promise<void>> = {}
  const notices: Record<string, () => Promise<void>> = {}
  if (options.input_channel !== '') {
    const heard = hearChannel(parts, figures)
    ;(options.needed_for_ready ? readiness : notices)['events_bridge'] = heard
  }
  const stopping = new AbortController()
  lifecycle.started('inventory', async () => stopping.abort(new ShutdownError('Keeping the inventory')))
  const baremetal = openBaremetal(parts, stopping.signal)
  if (openstack.url !== '') {
    const listener = await listen(parts, baremetal, figures)
    ;(openstack.needed_for_ready ? readiness : notices)['events_broker'] = async () => await listener.check()
  }
  return { baremetal, readiness, notices }
}

/** Puts the events of a channel into the log. @returns whether it is heard, as a check */
function hearChannel(parts: NotificationParts, metrics: NotificationMetrics): () => Promise<void> {
  const { config, events, lifecycle } = parts
  const channel = config.events.bridge.input_channel
  const bridge = new EventBridge({ ...bridgeOptions(parts), channel })
  lifecycle.started('event bridge (in)', async () => await bridge.shutdown())
  bridge.setManager(bridgedEvents({ ...parts, ingest: events.ingest }))
  metrics.watch('redis', () => bridge.subscribed)
  return async () => {
    if (!bridge.subscribed) throw new Error(`The channel ${channel} of Redis is not heard.`)
  }
}

async function listen(
  parts: NotificationParts,
  baremetal: BaremetalEvents,
  metrics: NotificationMetrics,
): Promise<NotificationListener> {
  const { config, clock, logger, events, lifecycle } = parts
  const { openstack } = config.events
  const pauses = { reconnectMinMs: openstack.reconnect_min_ms, reconnectMaxMs: openstack.reconnect_max_ms }
  const random = new SystemRandom()
  const listener = new NotificationListener({
    clock,
    logger,
    amqp: rabbitmq({ logger, ...authority(openstack.ca_file), ...pauses }),
    url: openstack.url,
    sources: sourcesOf(config),
    ingest: events.ingest,
    bridge: await openOutput(parts),
    baremetal,
    limits: { ...DEFAULT_READ_LIMITS, maxBytes: openstack.max_message_bytes },
    prefetch: openstack.prefetch,
    connectTimeoutMs: openstack.connect_timeout_ms,
    retryDelayMs: (attempt) => reconnectPauseMs(attempt - 1, random.next(), pauses),
    discoveryIntervalMs: openstack.discovery_interval_ms,
    figures: metrics.figures,
  })
  lifecycle.started('notification listener', async () => await listener.stop())
  metrics.watch('broker', () => listener.connected)
  listener.start()
  return listener
}

/** The channel that tells others, or null where none is wanted. */
async function openOutput(parts: NotificationParts): Promise<EventBridge | null> {
  const { config, logger, lifecycle } = parts
  const { output_channel: channel, spool_bytes: maxBytes } = config.events.bridge
  if (channel === '') return null
  const directory = join(dataDirectory(config), 'bridge-spool')
  const spool = await EventSpool.open<JsonObject>({ directory, logger, maxBytes })
  lifecycle.started('bridge spool', async () => await spool.close())
  const bridge = new EventBridge({ ...bridgeOptions(parts), channel, spool })
  lifecycle.started('event bridge (out)', async () => await bridge.shutdown())
  return bridge
}

/** What is bound, by the configuration. */
export function sourcesOf({ events: { openstack } }: Config): NotificationSource[] {
  const osism = openstack.preset === 'osism'
  const preset = osism ? OSISM_BINDINGS : DEFAULT_BINDINGS
  const prefix = osism ? OSISM_QUEUE_PREFIX : QUEUE_PREFIX
  return notificationSources(
    openstack.bindings.length === 0 ? preset : openstack.bindings,
    openstack.queue_prefix === '' ? prefix : openstack.queue_prefix,
  )
}

/** @throws InvalidInputError */
export function authority(caFile: string): { ca?: string } {
  if (caFile === '') return {}
  try {
    return { ca: readFileSync(caFile, 'utf8') }
  } catch (error) {
    throw new InvalidInputError(`events.openstack.ca_file ${caFile} cannot be read: ${errorMessage(error)}`, {
      cause: error,
    })
  }
}

function openBaremetal({ config, logger }: NotificationParts, signal: AbortSignal): BaremetalEvents {
  const { inventory_command: command, inventory_timeout_ms: timeoutMs } = config.events.openstack
  const [program, ...rest] = command
  const tasks =
    program === undefined ? NO_INVENTORY : commandInventory({ command: [program, ...rest], timeoutMs, signal })
  return new BaremetalEvents({ tasks, logger })
}

function bridgeOptions({ config, clock, logger }: NotificationParts): ConstructorParameters<typeof EventBridge>[0] {
  const settings = bridgeRedisFromUrl(config.events.bridge.redis_url)
  const random = new SystemRandom()
  return { clock, logger, redisFactory: redisDriver({ clock, random, logger }), settings: () => settings }
}
