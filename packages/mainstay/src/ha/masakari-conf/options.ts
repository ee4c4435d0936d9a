import type { ConfOption } from './option.ts'

/** The options of masakari.conf that mean something here. Source: ha-api.md 21. */

function group(name: string, options: Readonly<Record<string, Omit<ConfOption, 'group' | 'name'>>>): ConfOption[] {
  return Object.entries(options).map(([option, rest]) => ({ group: name, name: option, ...rest }))
}

const seconds = (help: string, min = 0): Omit<ConfOption, 'group' | 'name'> => ({ type: 'integer', min, help })
const text = (help: string): Omit<ConfOption, 'group' | 'name'> => ({ type: 'text', help })
const flag = (help: string): Omit<ConfOption, 'group' | 'name'> => ({ type: 'boolean', help })
const list = (help: string): Omit<ConfOption, 'group' | 'name'> => ({ type: 'list', help })
const secret = (help: string): Omit<ConfOption, 'group' | 'name'> => ({ type: 'text', secret: true, help })

export const OPTIONS: readonly ConfOption[] = [
  ...group('DEFAULT', {
    auth_strategy: { type: 'text', choices: ['keystone', 'noauth2'], help: 'How callers prove who they are.' },
    use_forwarded_for: flag('Whether X-Forwarded-For is believed.'),
    osapi_max_limit: { type: 'integer', min: 0, help: 'The most records of one list.' },
    osapi_masakari_link_prefix: text('What links begin with.'),
    notification_delay_max: seconds('The longest random wait before a notification is stored, in seconds.'),
    duplicate_notification_detection_interval: seconds('How long the same report counts as the same, in seconds.'),
    wait_period_after_service_update: seconds('How long to wait after a service was disabled, in seconds.'),
    wait_period_after_evacuation: seconds('How long a guest may take to be evacuated, in seconds.'),
    verify_interval: seconds('How often a guest is looked at, in seconds.'),
    wait_period_after_power_off: seconds('How long a guest may take to stop, in seconds.'),
    wait_period_after_power_on: seconds('How long a guest may take to start, in seconds.'),
    process_unfinished_notifications_interval: seconds('How often unfinished notifications are taken up, in seconds.'),
    retry_notification_new_status_interval: {
      ...seconds('How old a new notification is before it is taken up again, in seconds.'),
      mutable: true,
    },
    check_expired_notifications_interval: seconds('How often expired notifications are looked for, in seconds.'),
    notifications_expired_interval: seconds('How old an unfinished notification may become, in seconds.'),
    host_failure_recovery_threads: { type: 'integer', min: 1, help: 'Guests that are evacuated at the same time.' },
    host: text('The name of this machine.'),
    use_ssl: flag('Whether the API speaks TLS.'),
    masakari_api_listen: text('The address to listen on.'),
    masakari_api_listen_port: { type: 'integer', min: 1, max: 65_535, help: 'The port to listen on.' },
    nova_catalog_admin_info: text('Where Nova stands in the catalogue, as type:name:interface.'),
    os_region_name: text('The region whose services are used.'),
    nova_ca_certificates_file: text('File with the authorities that are trusted for Nova.'),
    nova_api_insecure: flag('Whether any certificate of Nova is believed.'),
    os_privileged_user_name: text('The user for Nova.'),
    os_privileged_user_password: secret('The password of the user for Nova.'),
    os_privileged_user_tenant: text('The project of the user for Nova.'),
    os_privileged_user_auth_url: text('Keystone for the user for Nova.'),
    os_user_domain_name: text('The domain of the user for Nova.'),
    os_project_domain_name: text('The domain of the project for Nova.'),
    os_system_scope: text('The system scope for Nova.'),
    state_path: text('Where state is kept.'),
    transport_url: secret('The message bus.'),
    debug: flag('Whether debug lines are written.'),
    graceful_shutdown_timeout: seconds('How long running requests may take at shutdown, in seconds.'),
  }),
  ...group('host_failure', {
    evacuate_all_instances: flag('Whether guests without the HA mark are evacuated too.'),
    ha_enabled_instance_metadata_key: text('The metadata key of the HA mark.'),
    ignore_instances_in_error_state: flag('Whether guests in state error are left alone.'),
    add_reserved_host_to_aggregate: flag('Whether a reserved host joins the aggregate of the dead one.'),
    service_disable_reason: text('Why a dead host takes no new guests.'),
  }),
  ...group('instance_failure', {
    process_all_instances: flag('Whether guests without the HA mark are restarted too.'),
    ha_enabled_instance_metadata_key: text('The metadata key of the HA mark.'),
  }),
  ...group('process_failure', { service_disable_reason: text('Why a host without its process takes no new guests.') }),
  ...group('taskflow', { connection: secret('Where progress was kept.') }),
  ...group('taskflow_driver_recovery_flows', {
    host_auto_failure_recovery_tasks: { type: 'dict', help: 'Tasks of a host recovery.' },
    host_rh_failure_recovery_tasks: { type: 'dict', help: 'Tasks of a host recovery on a reserved host.' },
    instance_failure_recovery_tasks: { type: 'dict', help: 'Tasks of a guest recovery.' },
    process_failure_recovery_tasks: { type: 'dict', help: 'Tasks of a process recovery.' },
  }),
  ...group('coordination', { backend_url: secret('The lock service, which is not needed here.') }),
  ...group('database', { connection: secret('The database to import from.') }),
  ...group('osapi_v1', { project_id_regex: text('What a project id in a path looks like.') }),
  ...group('wsgi', {
    wsgi_log_format: text('The form of the access log.'),
    ssl_ca_file: text('Authorities of client certificates, which are then required.'),
    ssl_cert_file: text('The certificate of the API.'),
    ssl_key_file: text('The private key of the API.'),
    tcp_keepidle: seconds('When a silent connection is probed, in seconds.'),
    default_pool_size: { type: 'integer', min: 1, help: 'Requests that are worked on at the same time.' },
    max_header_line: { type: 'integer', min: 1, help: 'The longest header line, in bytes.' },
    keep_alive: flag('Whether a connection serves more than one request.'),
    client_socket_timeout: seconds('How long an idle connection is kept, in seconds; 0 for ever.'),
  }),
  ...group('oslo_middleware', {
    max_request_body_size: { type: 'integer', min: 1, help: 'The longest body, in bytes.' },
    enable_proxy_headers_parsing: flag('Whether X-Forwarded headers are believed for links.'),
  }),
  ...group('oslo_policy', {
    policy_file: text('The policy file.'),
    policy_dirs: list('Directories with more policy files.'),
  }),
  ...group('cors', { allowed_origin: list('Origins that a browser may call from.') }),
  ...group('keystone_authtoken', {
    www_authenticate_uri: text('Keystone as callers reach it.'),
    auth_url: text('Keystone as this service reaches it.'),
    auth_type: text('The kind of credentials.'),
    username: text('The service user.'),
    password: secret('The password of the service user.'),
    project_name: text('The project of the service user.'),
    user_domain_name: text('The domain of the service user.'),
    user_domain_id: text('The domain of the service user, by id.'),
    project_domain_name: text('The domain of the project.'),
    project_domain_id: text('The domain of the project, by id.'),
    application_credential_id: text('The application credential.'),
    application_credential_secret: secret('The secret of the application credential.'),
    system_scope: text('The system scope of the service user.'),
    region_name: text('The region of Keystone.'),
    cafile: text('Authorities that are trusted for Keystone.'),
    insecure: flag('Whether any certificate of Keystone is believed.'),
    token_cache_time: {
      type: 'integer',
      help: 'How long an answer about a token is believed, in seconds; -1 for never.',
    },
  }),
  ...group('oslo_messaging_notifications', {
    driver: list('How events are sent.'),
    transport_url: secret('The message bus for events.'),
    topics: list('Topics of events.'),
  }),
]
