/**
 * Every option of `masakarimonitors.conf` that somebody may have set, by section: the reference's, those of the
 * libraries that it reads the same file with, and Mainstay's own. It tells a misspelling from an option that is merely
 * not needed here.
 *
 * Source: monitors.md section 10.
 */
export const KNOWN_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  DEFAULT: words(`
    hostname host tempdir monkey_patch monkey_patch_modules instancemonitor_manager
    introspectiveinstancemonitor_manager processmonitor_manager hostmonitor_manager
    debug log_config_append log_config log_date_format log_file logfile log_dir logdir watch_log_file use_syslog use_journal
    use_json syslog_log_facility use_stderr log_color use_eventlog log_rotate_interval log_rotate_interval_type max_logfile_count
    max_logfile_size_mb log_rotation_type logging_context_format_string logging_default_format_string
    logging_debug_format_suffix logging_exception_prefix logging_user_identity_format default_log_levels publish_errors
    instance_format instance_uuid_format rate_limit_interval rate_limit_burst rate_limit_except_level
    fatal_deprecations backdoor_port backdoor_socket log_options graceful_shutdown_timeout run_external_periodic_tasks
    pybasedir bindir state_path`),
  api: words(`
    region region_name api_version api_interface interface auth_type auth_plugin auth_section auth_url username user_name user_id
    password project_name project_id tenant_name tenant_id user_domain_name user_domain_id project_domain_name
    project_domain_id default_domain_name default_domain_id domain_name domain_id system_scope trust_id
    application_credential_id application_credential_name application_credential_secret token endpoint
    endpoint_override service_type service_name valid_interfaces version min_version max_version connect_retries
    connect_retry_delay status_code_retries status_code_retry_delay retriable_status_codes collect_timing
    split_loggers cafile certfile keyfile insecure timeout`),
  callback: words('retry_max retry_interval'),
  libvirt: words('connection_uri connect_timeout call_timeout keepalive_interval keepalive_misses'),
  host: words(`
    monitoring_driver monitoring_interval monitoring_samples api_retry_max api_retry_interval disable_ipmi_check
    restrict_to_remotes ipmi_timeout ipmi_retry_max ipmi_retry_interval stonith_wait tcpdump_timeout
    corosync_multicast_interfaces corosync_multicast_ports pacemaker_node_type
    link_check ipmi_cipher_suite bmc_file fence_wait ipmi_confirm_window orderly_departure report_initial_offline
    remotes forget_after reporter max_fail_ratio storm_hold event_source jitter`),
  consul: words('agent_manage agent_tenant agent_storage matrix_config_file'),
  kubernetes: words('monitoring_node_labels'),
  process: words(`
    check_interval restart_retries restart_interval api_retry_max api_retry_interval process_list_path
    stderr_is_failure restart_settle`),
  introspectiveinstancemonitor: words(`
    guest_monitoring_interval guest_monitoring_timeout guest_monitoring_failure_threshold qemu_guest_agent_sock_path
    guest_ping_concurrency guest_grace guest_opt_in guest_probe`),
  masakarimonitors_privileged: words('user group helper_command capabilities thread_pool_size logger_name'),
  sender: words('spool_dir spool_ttl send_concurrency retry_mode shutdown_grace'),
  instance: words('dedupe_window panic_as ignore_domains uuid_source identity_timeout reconcile_timeout'),
  selffence: words('enabled selffence_after watchdog_device watchdog_timeout'),
  metrics: words('listen'),
}

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
