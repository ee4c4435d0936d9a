/**
 * What options of masakari.conf are when nobody sets them, as the file would write it: what `$option` stands for then.
 * Options without a default are missing, and so is `host`, which is another one on each machine.
 *
 * Source: ha-api.md 21.
 */
const DEFAULTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  DEFAULT: {
    auth_strategy: 'keystone',
    use_forwarded_for: 'false',
    osapi_max_limit: '1000',
    notification_delay_max: '5',
    masakari_topic: 'ha_engine',
    notification_driver: 'taskflow_driver',
    duplicate_notification_detection_interval: '180',
    wait_period_after_service_update: '180',
    wait_period_after_evacuation: '90',
    verify_interval: '1',
    wait_period_after_power_off: '180',
    wait_period_after_power_on: '60',
    process_unfinished_notifications_interval: '120',
    retry_notification_new_status_interval: '60',
    check_expired_notifications_interval: '600',
    notifications_expired_interval: '86400',
    host_failure_recovery_threads: '3',
    report_interval: '10',
    service_down_time: '60',
    periodic_enable: 'true',
    periodic_interval_max: '300',
    periodic_fuzzy_delay: '60',
    use_ssl: 'false',
    masakari_api_listen: '0.0.0.0',
    masakari_api_listen_port: '15868',
    nova_catalog_admin_info: 'compute:nova:publicURL',
    nova_api_insecure: 'false',
    os_user_domain_name: 'default',
    os_project_domain_name: 'default',
    monkey_patch: 'false',
    fatal_exception_format_errors: 'false',
    state_path: '/var/lib/masakari',
    rpc_response_timeout: '60',
    debug: 'false',
    graceful_shutdown_timeout: '60',
  },
  host_failure: {
    evacuate_all_instances: 'true',
    ha_enabled_instance_metadata_key: 'HA_Enabled',
    ignore_instances_in_error_state: 'false',
    add_reserved_host_to_aggregate: 'false',
    service_disable_reason: 'Masakari detected host failed.',
  },
  instance_failure: { process_all_instances: 'false', ha_enabled_instance_metadata_key: 'HA_Enabled' },
  process_failure: { service_disable_reason: 'Masakari detected process failed.' },
  database: { connection: 'sqlite:///$state_path/masakari.sqlite' },
  wsgi: {
    api_paste_config: 'api-paste.ini',
    tcp_keepidle: '600',
    default_pool_size: '1000',
    max_header_line: '16384',
    keep_alive: 'true',
    client_socket_timeout: '900',
  },
  oslo_middleware: { max_request_body_size: '114688', enable_proxy_headers_parsing: 'false' },
}

/** @returns the text of an option that the file does not set, or undefined when it has no default */
export function defaultText(group: string, name: string): string | undefined {
  return DEFAULTS[group]?.[name]
}
