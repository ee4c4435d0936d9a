import { Type, type Static } from 'typebox'

import { DEFAULT_LIBVIRT_SETTINGS as LIBVIRT } from '../../compute/libvirt/settings.ts'
import { DEFAULT_ACCESS_LOG_FORMAT } from '../../http/index.ts'
import { DEFAULT_POLICY } from '../../recovery/index.ts'
import {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_MIGRATION_TIMEOUT_MS,
  DEFAULT_STATEMENT_TIMEOUT_MS,
  DEFAULT_WORK_TIMEOUT_MS,
} from '../../store/index.ts'
import { EventsSection } from './events-schema.ts'
import { closed, count, flag, text } from './option-kinds.ts'
import { PoolSection } from './pool-schema.ts'
import { VmmSection } from './vmm-schema.ts'

/** A program and its arguments, run without a shell. */
const Command = Type.Array(Type.String(), { minItems: 1 })

const CommandFenceConfig = Type.Object(
  {
    hosts: Type.Array(Type.String(), { description: 'Names of the hosts that are fenced this way; "*" for all.' }),
    off: Type.Array(Type.String(), { minItems: 1, description: 'Cuts the host off. {host} is replaced by its name.' }),
    verify: Type.Array(Type.String(), { minItems: 1, description: 'Looks whether the host is off.' }),
    expect: Type.String({ description: 'The line that verify prints for a host that is off.' }),
  },
  closed,
)

const LibvirtHostConfig = Type.Object(
  {
    name: Type.String({ description: 'The name under which the host is known in its segment.' }),
    socket: Type.String({ description: 'Its libvirt socket, read-write.' }),
    uri: Type.String({ description: 'The driver on the host.', default: 'qemu:///system' }),
  },
  closed,
)

/**
 * Every option of the program, by section, with its default: the one place where a default stands, and the source of
 * the reference in `docs/reference/configuration.md`. Times are in milliseconds.
 */
export const ConfigSchema = Type.Object(
  {
    server: Type.Object(
      {
        listen: text('Address and port to serve on, or unix:<path>.', '127.0.0.1:15868'),
        data_dir: Type.String({
          description: 'Where the embedded database and the simulated fleet live.',
          default: './data',
          minLength: 1,
        }),
        roles: Type.Array(
          Type.Union([Type.Literal('api'), Type.Literal('engine'), Type.Literal('pool'), Type.Literal('events')]),
          {
            description:
              'What this process does: api answers requests, engine runs recoveries, pool keeps VM pools, events takes in and streams events.',
            default: ['api', 'engine', 'pool', 'events'],
          },
        ),
        insecure_no_auth: flag(
          'Serves on an address other than loopback although nobody is asked who they are.',
          false,
        ),
        graceful_shutdown_timeout_ms: count(
          'How long running requests may take to end at shutdown; 0 for ever. Steps of recoveries are not waited for: another engine, or the next start, carries them on.',
          60_000,
        ),
        shutdown_grace_ms: count(
          'How long the other parts of the program may take to stop; workflows and machines have half of it to let go.',
          10_000,
          100,
        ),
      },
      { ...closed, default: {} },
    ),
    log: Type.Object(
      {
        level: Type.Union(
          (['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const).map((level) => Type.Literal(level)),
          { description: 'The least severe lines that are written.', default: 'info' },
        ),
        format: Type.Union(
          (['json', 'pretty', 'auto'] as const).map((format) => Type.Literal(format)),
          { description: 'json for machines, pretty for a terminal, auto looks which it is.', default: 'auto' },
        ),
      },
      { ...closed, default: {} },
    ),
    store: Type.Object(
      {
        url: text(
          'postgres://… for many machines; empty for the embedded SQLite in data_dir. Connections plan with enable_seqscan=off and jit=off, unless the address has options of its own.',
          '',
        ),
        busy_timeout_ms: count('How long a lock of another process on the database file is waited for.', 5000),
        work_timeout_ms: count(
          'How long a change of the database may wait for something else before it is rolled back.',
          DEFAULT_WORK_TIMEOUT_MS,
          100,
        ),
        migration_timeout_ms: count(
          'How long bringing the database up to date may take.',
          DEFAULT_MIGRATION_TIMEOUT_MS,
          100,
        ),
        connections: count('The most connections to PostgreSQL.', 16, 1),
        connect_timeout_ms: count(
          'How long connecting to PostgreSQL, or waiting for one of those connections, may take.',
          DEFAULT_CONNECT_TIMEOUT_MS,
          100,
        ),
        statement_timeout_ms: count(
          'How long PostgreSQL may take for one statement, also of a migration.',
          DEFAULT_STATEMENT_TIMEOUT_MS,
          100,
        ),
      },
      { ...closed, default: {} },
    ),
    check: Type.Object(
      {
        timeout_ms: count('How long one neighbour may take to answer "mainstay check".', 10_000, 1),
        connect_timeout_ms: count('How long it tries a Redis again that refuses connections.', 3000, 1),
      },
      { ...closed, default: {} },
    ),
    compute: Type.Object(
      {
        driver: Type.Union([Type.Literal('simulated'), Type.Literal('libvirt')], {
          description: 'The platform that runs the guests.',
          default: 'simulated',
        }),
        simulated_hosts: count('Hosts of the simulated fleet.', 12, 1),
        simulated_guests: count('Guests of the simulated fleet.', 120),
        simulated_seed: count('The same seed gives the same fleet.', 1),
        simulated_start_ms: count('How long a simulated guest takes to start or stop.', 500),
        simulated_evacuate_ms: count('How long a simulated guest takes to be rebuilt on another host.', 2000),
        simulated_evacuations_by: Type.Union([Type.Literal('platform'), Type.Literal('process')], {
          description:
            'Who carries on a simulated evacuation when the process that asked for it ends: the platform, as Nova does, or only whoever asks again, as with libvirt.',
          default: 'platform',
        }),
        simulated_power_ms: count('How long the simulated power switch of a host takes.', 200),
        libvirt_hosts: Type.Array(LibvirtHostConfig, { description: 'Hosts of the libvirt driver.', default: [] }),
        libvirt_connect_timeout_ms: count('How long connecting to a libvirtd may take.', LIBVIRT.connectTimeoutMs, 1),
        libvirt_ask_timeout_ms: count('How long a libvirtd may take to answer a question.', LIBVIRT.askTimeoutMs, 1),
        libvirt_act_timeout_ms: count('How long it may take to define or start a guest.', LIBVIRT.actTimeoutMs, 1),
        libvirt_reconnect_min_ms: count(
          'The first pause before connecting again; it doubles.',
          LIBVIRT.reconnectMinMs,
          1,
        ),
        libvirt_reconnect_max_ms: count('The longest such pause.', LIBVIRT.reconnectMaxMs, 1),
        libvirt_keepalive_interval_ms: count(
          'After what silence a libvirtd is asked for a sign of life.',
          LIBVIRT.keepaliveIntervalMs,
          1,
        ),
        libvirt_keepalive_misses: count('Unanswered signs after which it is given up.', LIBVIRT.keepaliveMisses, 1),
        libvirt_refresh_interval_ms: count(
          'How often all guests are looked at without news.',
          LIBVIRT.refreshIntervalMs,
          1,
        ),
        libvirt_graceful_stop_ms: count(
          'How long a guest may take to stop by itself before its plug is pulled; 0 pulls it at once.',
          LIBVIRT.gracefulStopMs,
        ),
        libvirt_close_timeout_ms: count('How long closing the connections may take.', LIBVIRT.closeTimeoutMs, 1),
        libvirt_reserved_memory_mib: count('Memory that each host keeps for itself.', LIBVIRT.reservedMemoryMib),
        libvirt_autostart: Type.Union([Type.Literal('warn'), Type.Literal('disable')], {
          description:
            'Guests that libvirtd starts with their host and that can run elsewhere would run twice after a recovery: warn tells of each, disable switches it off on the host.',
          default: LIBVIRT.autostart,
        }),
        libvirt_shared_paths: Type.Array(Type.String(), {
          description: 'Directories that every libvirt host sees: guests with disks elsewhere stay where they are.',
          default: [],
        }),
      },
      { ...closed, default: {} },
    ),
    fence: Type.Object(
      {
        command: Type.Array(CommandFenceConfig, {
          description: 'Fencing by commands: one acts, another looks at the result.',
          default: [],
        }),
      },
      { ...closed, default: {} },
    ),
    journal: Type.Object(
      {
        lease_ms: count('An engine that is silent for this long is taken for dead.', 3000, 300),
        poll_ms: count('How often work is looked for although nobody told of any.', 1000, 50),
        max_concurrent: count('Recoveries that run at the same time.', 256, 1),
      },
      { ...closed, default: {} },
    ),
    recovery: Type.Object(
      {
        evacuate_all_instances: flag('Evacuates guests without the HA mark too.', DEFAULT_POLICY.evacuateAllInstances),
        ignore_instances_in_error_state: flag(
          'Leaves guests in state error where they are.',
          DEFAULT_POLICY.ignoreInstancesInErrorState,
        ),
        host_ha_metadata_key: text('Marks guests that are evacuated first.', DEFAULT_POLICY.hostHaMetadataKey),
        instance_ha_metadata_key: text('Marks guests that are restarted.', DEFAULT_POLICY.instanceHaMetadataKey),
        process_all_instances: flag('Restarts guests without the HA mark too.', DEFAULT_POLICY.processAllInstances),
        evacuations_at_once: count(
          'Guests of one host that are evacuated at once.',
          DEFAULT_POLICY.evacuationsAtOnce,
          1,
        ),
        host_failed_reason: text('Why a dead host takes no new guests.', DEFAULT_POLICY.hostFailedReason),
        process_failed_reason: text(
          'Why a host without its compute service takes no new guests.',
          DEFAULT_POLICY.processFailedReason,
        ),
        poll_ms: count('How often a guest is looked at where the platform is silent.', DEFAULT_POLICY.pollMs, 10),
        evacuation_timeout_ms: count('How long a guest may take to arrive.', DEFAULT_POLICY.evacuationTimeoutMs),
        power_off_timeout_ms: count('How long a guest may take to stop.', DEFAULT_POLICY.powerOffTimeoutMs),
        power_on_timeout_ms: count('How long a guest may take to start.', DEFAULT_POLICY.powerOnTimeoutMs),
        service_update_timeout_ms: count(
          'How long the platform may take to put a host out of service.',
          DEFAULT_POLICY.serviceUpdateTimeoutMs,
        ),
        request_timeout_ms: count('How long one request to the platform may take.', DEFAULT_POLICY.requestTimeoutMs),
        request_attempts: count(
          'How often a request is made to a platform that is busy or silent.',
          DEFAULT_POLICY.requestAttempts,
          1,
        ),
        request_retry_min_ms: count(
          'The first pause between such requests; it doubles.',
          DEFAULT_POLICY.requestRetryMinMs,
          1,
        ),
        request_retry_max_ms: count('The longest such pause.', DEFAULT_POLICY.requestRetryMaxMs, 1),
        retry_after_ms: count('The pause before a failed recovery is tried once more.', DEFAULT_POLICY.retryAfterMs),
        attempts: count('How often a recovery is tried in all.', DEFAULT_POLICY.attempts, 1),
        fence_timeout_ms: count('How long one fence may take, proof included.', DEFAULT_POLICY.fenceTimeoutMs),
        fence_validity_ms: count('How long a proof of death is acted upon.', DEFAULT_POLICY.fenceValidityMs, 1000),
        hold_timeout_ms: count('How long a recovery waits for a person.', DEFAULT_POLICY.holdTimeoutMs),
        look_again_ms: count(
          'The first pause after which a held recovery tries by itself to prove its host dead; it doubles.',
          DEFAULT_POLICY.lookAgainMs,
          100,
        ),
        look_again_max_ms: count('The longest such pause.', DEFAULT_POLICY.lookAgainMaxMs, 100),
      },
      { ...closed, default: {} },
    ),
    ha: Type.Object(
      {
        max_limit: count('The most records that one list answers.', 1000, 1),
        link_prefix: text('Replaces scheme and host of links in answers; empty leaves them.', ''),
        duplicate_interval_ms: count('How long the same report counts as the same.', 180_000),
        notification_delay_max_ms: count('The longest random wait before a report is stored; not needed here.', 0),
        max_body_bytes: count('The longest body of a request.', 114_688, 1),
        project_id_pattern: text('What a project id in a path looks like; empty for hexadecimal.', ''),
        healthcheck_disable_file: text(
          '/healthcheck answers 503 while this file exists.',
          '/etc/masakari/healthcheck_disable',
        ),
        believe_forwarded: flag('Believes X-Forwarded-* for links.', false),
        use_forwarded_for: flag('Takes the address of the caller from X-Forwarded-For.', false),
        cors_origins: Type.Array(Type.String(), {
          description: 'Origins that a browser may call from; * is every page, without credentials.',
          default: [],
        }),
        retry_interval_ms: count('How often unfinished reports without a recovery are looked for.', 120_000, 1000),
        retry_new_after_ms: count('How old such a report is before it is taken up.', 60_000),
        expiry_interval_ms: count('How often reports that are too old are looked for.', 600_000, 1000),
        expire_after_ms: count('How old an unfinished report may become.', 86_400_000),
      },
      { ...closed, default: {} },
    ),
    http: Type.Object(
      {
        tls: flag('Serves https.', false),
        tls_cert_file: text('The certificate, PEM.', ''),
        tls_key_file: text('Its private key, PEM.', ''),
        tls_client_ca_file: text('Requires client certificates of these authorities; empty asks for none.', ''),
        access_log: flag('Writes a line for each request.', false),
        access_log_format: text('The form of that line.', DEFAULT_ACCESS_LOG_FORMAT),
        tcp_keep_idle_ms: count('How long a silent connection is left before it is probed.', 600_000),
        max_concurrent_requests: count('Requests that are worked on at once; others wait.', 1000, 1),
        max_header_line_bytes: count('The longest header line.', 16_384, 256),
        keep_alive: flag('Lets a connection serve more than one request.', true),
        idle_timeout_ms: count('How long a connection without a request is kept; 0 for ever.', 900_000),
      },
      { ...closed, default: {} },
    ),
    pool: PoolSection,
    vmm: VmmSection,
    events: EventsSection,
    auth: Type.Object(
      {
        strategy: Type.Union([Type.Literal('noauth2'), Type.Literal('keystone')], {
          description: 'noauth2 asks nobody who they are, and everybody is admin; keystone checks tokens.',
          default: 'noauth2',
        }),
        keystone_url: text('Keystone, with or without /v3.', ''),
        authenticate_uri: text('Where callers get a token; keystone_url unless given.', ''),
        user_name: text('The service user that checks tokens.', ''),
        password: text('Its password.', ''),
        user_domain_name: text('Its domain.', 'Default'),
        user_domain_id: text('Its domain by id, instead of the name.', ''),
        project_name: text('The project it works in.', 'service'),
        project_domain_name: text('The domain of that project.', 'Default'),
        project_domain_id: text('The same by id, instead of the name.', ''),
        system_scope: text('all lets it work on the system instead of in a project.', ''),
        application_credential_id: text('An application credential instead of a user and a password.', ''),
        application_credential_secret: text('Its secret.', ''),
        ca_file: text('Authorities that are trusted for Keystone, PEM; empty for those of the system.', ''),
        insecure: flag('Believes any certificate of Keystone.', false),
        token_cache_ms: count('How long an answer about a token is believed.', 300_000),
        service_roles: Type.Array(Type.String(), {
          description:
            'A service with one of these roles vouches, by X-Service-Token, for users whose token has expired.',
          default: ['service'],
        }),
      },
      { ...closed, default: {} },
    ),
    policy: Type.Object(
      {
        file: text('Rules in the language of oslo.policy; a missing file changes nothing.', ''),
        directories: Type.Array(Type.String(), { description: 'Directories with more of them.', default: [] }),
        remote_timeout_ms: count('How long a server that a rule asks (http:) may take; then the rule refuses.', 5000),
        roles: Type.Union([Type.Literal('compatible'), Type.Literal('reader-operator')], {
          description:
            'compatible knows admins only, as Masakari does; reader-operator adds a role that reads and one that operates.',
          default: 'compatible',
        }),
      },
      { ...closed, default: {} },
    ),
    notifications: Type.Object(
      {
        driver: Type.Union([Type.Literal('none'), Type.Literal('rabbitmq')], {
          description: 'rabbitmq sends versioned notifications to a message bus, as Masakari does.',
          default: 'none',
        }),
        url: text('The message bus, amqp://user:password@host:port/vhost.', ''),
        topics: Type.Array(Type.String(), {
          description: 'Topics that the notifications go to.',
          default: ['versioned_notifications'],
        }),
        poll_ms: count('How often it is looked for notifications that wait for the message bus.', 5000),
        keep_ms: count('How long notifications wait for a message bus that is away.', 86_400_000),
      },
      { ...closed, default: {} },
    ),
  },
  closed,
)

export type Config = Static<typeof ConfigSchema>
export type CommandLine = Static<typeof Command>
