/** Where notifications of one service are found on the broker, and the queue of ours that takes them. */
export interface NotificationSource {
  /** The service, as the log says it. */
  readonly service: string
  readonly exchange: string
  readonly routingKeys: readonly string[]
  readonly queue: string
}

/** Exchanges of a service and the keys that are bound on each of them. */
export interface ServiceBindings {
  readonly service: string
  readonly exchanges: readonly string[]
  readonly routing_keys: readonly string[]
}

const VERSIONED = 'versioned_notifications.*'
const LEGACY = 'notifications.*'

/** What the services really send, with their own defaults. Source: event-stream.md 8.6. */
export const DEFAULT_BINDINGS: readonly ServiceBindings[] = [
  { service: 'ironic', exchanges: ['ironic'], routing_keys: ['ironic_versioned_notifications.*'] },
  { service: 'nova', exchanges: ['nova'], routing_keys: [VERSIONED, LEGACY] },
  { service: 'neutron', exchanges: ['neutron'], routing_keys: [LEGACY] },
  { service: 'cinder', exchanges: ['cinder', 'openstack'], routing_keys: [LEGACY] },
  { service: 'glance', exchanges: ['glance'], routing_keys: [LEGACY] },
  { service: 'keystone', exchanges: ['keystone'], routing_keys: [LEGACY] },
  { service: 'masakari', exchanges: ['masakari'], routing_keys: [VERSIONED] },
]

/** What the reference binds, for deployments that were made for it. Source: event-stream.md 8.1. */
export const OSISM_BINDINGS: readonly ServiceBindings[] = [
  'ironic',
  'nova',
  'neutron',
  'cinder',
  'keystone',
  'glance',
].map((service) => ({
  service,
  exchanges: [service],
  routing_keys: [`${service}_versioned_notifications.info`],
}))

/** The queue prefix of the reference. */
export const OSISM_QUEUE_PREFIX = 'osism-listener'

/**
 * One source for each exchange: a queue that was bound to two exchanges could not be set up while one of them is missing.
 *
 * @param queuePrefix begins the names of the queues; installations that must each get every event have their own
 */
export function notificationSources(bindings: readonly ServiceBindings[], queuePrefix: string): NotificationSource[] {
  return bindings.flatMap(({ service, exchanges, routing_keys: routingKeys }) =>
    exchanges.map((exchange) => ({
      service,
      exchange,
      routingKeys,
      queue: exchange === service ? `${queuePrefix}-${service}` : `${queuePrefix}-${service}-${exchange}`,
    })),
  )
}
