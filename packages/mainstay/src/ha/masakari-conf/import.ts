import type { JsonObject } from '../../core/json.ts'
import { defaultText } from './defaults.ts'
import { ConfFile, type Fallback, type UnknownReference } from './ini.ts'
import { readValue, type ConfValue } from './option.ts'
import { OPTIONS } from './options.ts'

/** What a masakari.conf says, as sections of our own configuration. */
export interface ImportedConf {
  /** `section → key → value`, as in mainstay.toml. */
  readonly sections: Readonly<Record<string, JsonObject>>
  /** What has no meaning here and was left out, and what names an option that does not exist, in sentences. */
  readonly warnings: readonly string[]
}

/** A value that goes over as it is, in milliseconds, or in some other way; undefined drops it. */
type Convert = (value: ConfValue, read: Reader) => JsonObject[string] | undefined

type Reader = (group: string, name: string) => ConfValue | undefined

interface Mapping {
  readonly from: string
  readonly to: string
  readonly convert?: Convert
}

const ms: Convert = (value) => Number(value) * 1000

const MAPPINGS: readonly Mapping[] = [
  { from: 'DEFAULT.masakari_api_listen', to: 'server.listen', convert: listen },
  { from: 'DEFAULT.masakari_api_listen_port', to: 'server.listen', convert: listen },
  { from: 'DEFAULT.graceful_shutdown_timeout', to: 'server.graceful_shutdown_timeout_ms', convert: ms },
  { from: 'DEFAULT.debug', to: 'log.level', convert: (value) => (value === true ? 'debug' : undefined) },
  { from: 'DEFAULT.auth_strategy', to: 'auth.strategy' },
  { from: 'DEFAULT.osapi_max_limit', to: 'ha.max_limit' },
  { from: 'DEFAULT.osapi_masakari_link_prefix', to: 'ha.link_prefix' },
  { from: 'DEFAULT.use_forwarded_for', to: 'ha.use_forwarded_for' },
  { from: 'DEFAULT.notification_delay_max', to: 'ha.notification_delay_max_ms', convert: ms },
  { from: 'DEFAULT.duplicate_notification_detection_interval', to: 'ha.duplicate_interval_ms', convert: ms },
  { from: 'DEFAULT.process_unfinished_notifications_interval', to: 'ha.retry_interval_ms', convert: ms },
  { from: 'DEFAULT.retry_notification_new_status_interval', to: 'ha.retry_new_after_ms', convert: ms },
  { from: 'DEFAULT.check_expired_notifications_interval', to: 'ha.expiry_interval_ms', convert: ms },
  { from: 'DEFAULT.notifications_expired_interval', to: 'ha.expire_after_ms', convert: ms },
  { from: 'osapi_v1.project_id_regex', to: 'ha.project_id_pattern' },
  { from: 'oslo_middleware.max_request_body_size', to: 'ha.max_body_bytes' },
  { from: 'oslo_middleware.enable_proxy_headers_parsing', to: 'ha.believe_forwarded' },
  { from: 'cors.allowed_origin', to: 'ha.cors_origins' },
  { from: 'DEFAULT.host_failure_recovery_threads', to: 'recovery.evacuations_at_once' },
  { from: 'DEFAULT.wait_period_after_evacuation', to: 'recovery.evacuation_timeout_ms', convert: ms },
  { from: 'DEFAULT.wait_period_after_power_off', to: 'recovery.power_off_timeout_ms', convert: ms },
  { from: 'DEFAULT.wait_period_after_power_on', to: 'recovery.power_on_timeout_ms', convert: ms },
  { from: 'DEFAULT.wait_period_after_service_update', to: 'recovery.service_update_timeout_ms', convert: ms },
  { from: 'DEFAULT.verify_interval', to: 'recovery.poll_ms', convert: ms },
  { from: 'host_failure.evacuate_all_instances', to: 'recovery.evacuate_all_instances' },
  { from: 'host_failure.ha_enabled_instance_metadata_key', to: 'recovery.host_ha_metadata_key' },
  { from: 'host_failure.ignore_instances_in_error_state', to: 'recovery.ignore_instances_in_error_state' },
  { from: 'host_failure.service_disable_reason', to: 'recovery.host_failed_reason' },
  { from: 'instance_failure.process_all_instances', to: 'recovery.process_all_instances' },
  { from: 'instance_failure.ha_enabled_instance_metadata_key', to: 'recovery.instance_ha_metadata_key' },
  { from: 'process_failure.service_disable_reason', to: 'recovery.process_failed_reason' },
  { from: 'DEFAULT.use_ssl', to: 'http.tls' },
  { from: 'wsgi.ssl_cert_file', to: 'http.tls_cert_file' },
  { from: 'wsgi.ssl_key_file', to: 'http.tls_key_file' },
  { from: 'wsgi.ssl_ca_file', to: 'http.tls_client_ca_file' },
  { from: 'wsgi.wsgi_log_format', to: 'http.access_log_format' },
  { from: 'wsgi.tcp_keepidle', to: 'http.tcp_keep_idle_ms', convert: ms },
  { from: 'wsgi.default_pool_size', to: 'http.max_concurrent_requests' },
  { from: 'wsgi.max_header_line', to: 'http.max_header_line_bytes' },
  { from: 'wsgi.keep_alive', to: 'http.keep_alive' },
  { from: 'wsgi.client_socket_timeout', to: 'http.idle_timeout_ms', convert: ms },
  { from: 'oslo_policy.policy_file', to: 'policy.file' },
  { from: 'oslo_policy.policy_dirs', to: 'policy.directories' },
  { from: 'keystone_authtoken.www_authenticate_uri', to: 'auth.authenticate_uri' },
  { from: 'keystone_authtoken.auth_url', to: 'auth.keystone_url' },
  { from: 'keystone_authtoken.username', to: 'auth.user_name' },
  { from: 'keystone_authtoken.password', to: 'auth.password' },
  { from: 'keystone_authtoken.project_name', to: 'auth.project_name' },
  { from: 'keystone_authtoken.user_domain_name', to: 'auth.user_domain_name' },
  { from: 'keystone_authtoken.user_domain_id', to: 'auth.user_domain_id' },
  { from: 'keystone_authtoken.project_domain_name', to: 'auth.project_domain_name' },
  { from: 'keystone_authtoken.project_domain_id', to: 'auth.project_domain_id' },
  { from: 'keystone_authtoken.application_credential_id', to: 'auth.application_credential_id' },
  { from: 'keystone_authtoken.application_credential_secret', to: 'auth.application_credential_secret' },
  { from: 'keystone_authtoken.system_scope', to: 'auth.system_scope' },
  { from: 'keystone_authtoken.cafile', to: 'auth.ca_file' },
  { from: 'keystone_authtoken.insecure', to: 'auth.insecure' },
  {
    from: 'keystone_authtoken.token_cache_time',
    to: 'auth.token_cache_ms',
    convert: (value) => Math.max(0, Number(value)) * 1000,
  },
  { from: 'DEFAULT.os_privileged_user_name', to: 'nova.user_name' },
  { from: 'DEFAULT.os_privileged_user_password', to: 'nova.password' },
  { from: 'DEFAULT.os_privileged_user_tenant', to: 'nova.project_name' },
  { from: 'DEFAULT.os_privileged_user_auth_url', to: 'nova.keystone_url' },
  { from: 'DEFAULT.os_user_domain_name', to: 'nova.user_domain_name' },
  { from: 'DEFAULT.os_project_domain_name', to: 'nova.project_domain_name' },
  { from: 'DEFAULT.os_system_scope', to: 'nova.system_scope' },
  { from: 'DEFAULT.nova_catalog_admin_info', to: 'nova.endpoint' },
  { from: 'DEFAULT.os_region_name', to: 'nova.region' },
  { from: 'DEFAULT.nova_ca_certificates_file', to: 'nova.ca_file' },
  { from: 'DEFAULT.nova_api_insecure', to: 'nova.insecure' },
  { from: 'DEFAULT.transport_url', to: 'notifications.url', convert: (_value, read) => busUrl(read) },
  {
    from: 'oslo_messaging_notifications.transport_url',
    to: 'notifications.url',
    convert: (_value, read) => busUrl(read),
  },
  { from: 'oslo_messaging_notifications.driver', to: 'notifications.driver', convert: driver },
  { from: 'oslo_messaging_notifications.topics', to: 'notifications.topics' },
]

/** Known options that have no counterpart, with the reason. */
const WITHOUT_MEANING: Readonly<Record<string, string>> = {
  'DEFAULT.host': 'an engine makes up its own name',
  'DEFAULT.state_path': 'set server.data_dir instead',
  'host_failure.add_reserved_host_to_aggregate': 'aggregates are not changed',
  'taskflow.connection': 'progress is kept in the database of this program',
  'coordination.backend_url': 'locks are kept in the database of this program',
  'database.connection': 'import the old database once with "mainstay migrate --import-database"',
  'keystone_authtoken.auth_type': 'the kind follows from the credentials that are given',
  'keystone_authtoken.region_name': 'Keystone is found by its address',
}

/**
 * Reads a masakari.conf into sections of our own configuration.
 *
 * @param text the file, or several after each other
 * @param machine.host the name of this machine, which `$host` stands for where the file does not set it
 * @throws InvalidInputError when a line or a value cannot be read
 */
export function importMasakariConf(text: string, machine: { readonly host: string }): ImportedConf {
  const file = new ConfFile(text)
  const byName = new Map(OPTIONS.map((option) => [`${option.group}.${option.name}`, option]))
  const fallback: Fallback = (group, name) => {
    if (group === 'DEFAULT' && name === 'host') return machine.host
    // An option that nobody sets and that has no default is empty where another one names it.
    return defaultText(group, name) ?? (byName.has(`${group}.${name}`) ? '' : undefined)
  }
  const unknown = new Set<string>()
  const read: Reader = (group, name) => {
    const option = byName.get(`${group}.${name}`)
    const value = file.value(group, name, fallback)
    if (option === undefined || value === undefined) return undefined
    for (const one of value.unknown) unknown.add(unknownText(one, { secret: option.secret === true }))
    return readValue(option, value.text)
  }
  const sections: Record<string, Record<string, JsonObject[string]>> = {}
  for (const { from, to, convert = asItIs } of MAPPINGS) {
    const [group, name] = splitOnce(from)
    const value = read(group, name)
    const converted = value === undefined ? undefined : convert(value, read)
    if (converted === undefined) continue
    const [section, key] = splitOnce(to)
    ;(sections[section] ??= {})[key] = converted
  }
  return { sections, warnings: [...file.names().flatMap((name) => warningFor(name)), ...unknown] }
}

function unknownText({ group, name, line, reference }: UnknownReference, { secret }: { secret: boolean }): string {
  const named = secret ? 'an option' : reference
  return (
    `[${group}] ${name} (line ${line}) names ${named}, which is neither in this file nor one of Masakari's: it is taken as it stands. ` +
    'Correct the name, or write $$ for the sign itself.'
  )
}

function warningFor(name: string): string[] {
  const [group, option] = splitOnce(name)
  const reason = WITHOUT_MEANING[name]
  if (reason !== undefined) return [`[${group}] ${option} is left out: ${reason}.`]
  if (MAPPINGS.some(({ from }) => from === name)) return []
  if (group === 'taskflow_driver_recovery_flows') {
    return [`[${group}] ${option} is left out: recoveries have fixed steps; see docs/explanation/one-recovery.md.`]
  }
  return [`[${group}] ${option} is left out: it has no meaning here.`]
}

function asItIs(value: ConfValue): JsonObject[string] {
  return value
}

function listen(_value: ConfValue, read: Reader): string {
  const text = (name: string): string => {
    const value = read('DEFAULT', name)
    return typeof value === 'string' || typeof value === 'number' ? String(value) : (defaultText('DEFAULT', name) ?? '')
  }
  const host = text('masakari_api_listen')
  const port = text('masakari_api_listen_port')
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** `rabbit://` of oslo.messaging is `amqp://` elsewhere. */
function busUrl(read: Reader): string | undefined {
  const url = read('oslo_messaging_notifications', 'transport_url') ?? read('DEFAULT', 'transport_url')
  return typeof url === 'string' ? url.replace(/^rabbit:/, 'amqp:').replace(/^rabbits:/, 'amqps:') : undefined
}

function driver(value: ConfValue): string {
  const names = Array.isArray(value) ? value : []
  return names.some((name) => name === 'messagingv2' || name === 'messaging') ? 'rabbitmq' : 'none'
}

function splitOnce(name: string): [string, string] {
  const dot = name.indexOf('.')
  return [name.slice(0, dot), name.slice(dot + 1)]
}
