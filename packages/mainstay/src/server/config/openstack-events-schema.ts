import { Type } from 'typebox'

import { DEFAULT_BRIDGE_CHANNEL } from '../../events/compat/bridge-options.ts'
import { DEFAULT_PREFETCH } from '../../events/openstack/notification-listener.ts'
import { DEFAULT_READ_LIMITS } from '../../events/openstack/oslo-notification.ts'
import { closed, count, flag, text } from './option-kinds.ts'

const Bindings = Type.Object(
  {
    service: Type.String({ description: 'The service, for names of queues and for the log.', minLength: 1 }),
    exchanges: Type.Array(Type.String({ minLength: 1 }), { description: 'Its topic exchanges.', minItems: 1 }),
    routing_keys: Type.Array(Type.String({ minLength: 1 }), {
      description: 'What is bound on each of them, for example notifications.*',
      minItems: 1,
    }),
  },
  closed,
)

/** Notifications of OpenStack services. */
export const OpenstackEventsSection = Type.Object(
  {
    url: text(
      'The broker: amqp://user:password@host:5672/vhost, or the transport_url of a service. Empty listens to none.',
      '',
    ),
    ca_file: text('Authorities that are trusted for amqps, PEM; empty for those of the system.', ''),
    preset: Type.Union([Type.Literal('openstack'), Type.Literal('osism')], {
      description:
        'What is bound, and how queues are called: openstack binds what services send by themselves, osism what its listener binds.',
      default: 'openstack',
    }),
    bindings: Type.Array(Bindings, { description: 'What is bound instead of what preset says.', default: [] }),
    queue_prefix: text(
      'Begins the names of our queues. Nodes with the same prefix share the work. Empty: mainstay-listener, or osism-listener with the preset osism.',
      '',
    ),
    prefetch: count('Messages of a queue that may be on their way without being stored.', DEFAULT_PREFETCH, 1),
    max_message_bytes: count('Longer messages are thrown away and counted.', DEFAULT_READ_LIMITS.maxBytes, 1024),
    connect_timeout_ms: count('How long connecting to the broker may take.', 30_000, 1),
    reconnect_min_ms: count('The longest pause before the first attempt to reconnect; it doubles.', 500, 1),
    reconnect_max_ms: count('Where the doubling ends.', 30_000, 1),
    discovery_interval_ms: count('How often exchanges that are missing are looked for.', 60_000, 1),
    needed_for_ready: flag(
      '/health/ready answers 503 while the broker does not answer; otherwise it only says so.',
      false,
    ),
    api_url: text('An API that is told of baremetal.* at /notifications/baremetal below this address.', ''),
    inventory_command: Type.Array(Type.String(), {
      description:
        'A program that is told of changes of machines; {task} (power, maintenance, provision), {node} and {value} are replaced.',
      default: [],
    }),
    inventory_timeout_ms: count('How long that program may take.', 30_000, 1),
  },
  { ...closed, default: {} },
)

/** Events that come and go over a channel of Redis, as OSISM's listener and API exchange them. */
export const BridgeEventsSection = Type.Object(
  {
    redis_url: text('redis://user:password@host:port/db, or rediss:// for TLS.', 'redis://127.0.0.1:6379/0'),
    input_channel: text('A channel whose events are put into the log, for example osism:events. Empty hears none.', ''),
    output_channel: text(
      `A channel on which notifications from the broker are published, for example ${DEFAULT_BRIDGE_CHANNEL}. Empty publishes none.`,
      '',
    ),
    spool_bytes: count('How much waits in data_dir for the channel while Redis is away.', 64 * 1024 * 1024),
    needed_for_ready: flag('/health/ready answers 503 while the input channel is not heard.', true),
  },
  { ...closed, default: {} },
)
