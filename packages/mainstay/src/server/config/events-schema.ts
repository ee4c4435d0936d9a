import { Type } from 'typebox'

import { DEFAULT_MAX_EVENT_BYTES } from '../../events/prepare-event.ts'
import { DEFAULT_REPEAT_WINDOW as REPEATS, DEFAULT_RETENTION as RETENTION } from '../../events/retention.ts'
import { DEFAULT_SPOOL_BYTES } from '../../events/spool/spool.ts'
import { BridgeEventsSection, OpenstackEventsSection } from './openstack-events-schema.ts'
import { HistorySection } from './history-schema.ts'
import { closed, count, flag, text } from './option-kinds.ts'
import { StreamSection } from './stream-schema.ts'
import { WebhooksSection } from './webhooks-schema.ts'

/** The event stream. */
export const EventsSection = Type.Object(
  {
    store: Type.Union([Type.Literal('sqlite'), Type.Literal('redis'), Type.Literal('memory')], {
      description:
        'Where the log of events is: sqlite in data_dir for one node, redis for many, memory forgets with the process.',
      default: 'sqlite',
    }),
    redis_url: text('redis://user:password@host:port/db, or rediss:// for TLS.', 'redis://127.0.0.1:6379/0'),
    redis_prefix: Type.String({
      description: 'What the keys of the log begin with in Redis.',
      default: 'mainstay:events',
      pattern: '^[^{}]+$',
    }),
    redis_connect_timeout_ms: count('How long connecting to Redis may take.', 10_000, 1),
    redis_command_timeout_ms: count('How long Redis may take to answer.', 10_000, 1),
    redis_reconnect_min_ms: count('The longest pause before the first attempt to reconnect; it doubles.', 500, 1),
    redis_reconnect_max_ms: count(
      'Where the doubling ends: events flow again at most this long after Redis is back.',
      3000,
      1,
    ),
    redis_healthy_after_ms: count('How long a connection must hold until the pauses begin anew.', 30_000),
    fsync: Type.Union([Type.Literal('always'), Type.Literal('interval'), Type.Literal('off')], {
      description:
        'When events reach the disk (sqlite): always before they are acknowledged, interval soon after, off when the system likes. Only a power cut makes a difference.',
      default: 'interval',
    }),
    fsync_interval_ms: count('How soon that is.', 100, 1),
    commit_max_events: count('The most events of one commit (sqlite).', 256, 1),
    retention_age_ms: count('How long events are kept.', RETENTION.maxAgeMs, 1),
    retention_events: count('How many events are kept.', RETENTION.maxEvents, 1),
    retention_bytes: count('How many bytes of events are kept.', RETENTION.maxBytes, 1),
    trim_interval_ms: count('How often what is beyond that is dropped.', 10_000, 10),
    repeat_window_ms: count('How long a repeat of an event is recognised.', REPEATS.ms),
    repeat_window_events: count('Among how many of the last events a repeat is recognised.', REPEATS.events, 1),
    max_event_bytes: count(
      'The biggest event; the payload of a bigger one is replaced.',
      DEFAULT_MAX_EVENT_BYTES,
      4096,
    ),
    spool_bytes: count('How much is kept in data_dir while the log is away.', DEFAULT_SPOOL_BYTES),
    outbox_poll_ms: count('How often changes of other processes are looked at for their events.', 500, 10),
    needed_for_ready: flag(
      '/health/ready answers 503 while the log does not take events; otherwise it only says so.',
      true,
    ),
    heartbeat_source: text('What heartbeats of the compatible endpoint give as their source.', 'mainstay'),
    stream: StreamSection,
    history: HistorySection,
    webhooks: WebhooksSection,
    openstack: OpenstackEventsSection,
    bridge: BridgeEventsSection,
  },
  { ...closed, default: {} },
)
