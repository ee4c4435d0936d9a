import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { importMasakariConf } from '../../packages/mainstay/src/ha/masakari-conf/import.ts'
import { OPTIONS } from '../../packages/mainstay/src/ha/masakari-conf/options.ts'
import { check, type CheckResult } from '../../packages/mainstay/src/server/commands/check.ts'
import { loadConfig } from '../../packages/mainstay/src/server/config/load.ts'
import type { Config } from '../../packages/mainstay/src/server/config/schema.ts'

const MACHINE = { host: 'node-7' }

/** A value that is not the default, by option; and what our own configuration has then. Source: ha-api.md 21. */
const CASES: readonly (readonly [
  group: string,
  option: string,
  value: string,
  read: (config: Config) => unknown,
  expected: unknown,
])[] = [
  ['DEFAULT', 'auth_strategy', 'keystone', ({ auth }) => auth.strategy, 'keystone'],
  ['DEFAULT', 'use_forwarded_for', 'true', ({ ha }) => ha.use_forwarded_for, true],
  ['DEFAULT', 'osapi_max_limit', '77', ({ ha }) => ha.max_limit, 77],
  ['DEFAULT', 'osapi_masakari_link_prefix', 'https://x/ha', ({ ha }) => ha.link_prefix, 'https://x/ha'],
  ['DEFAULT', 'notification_delay_max', '3', ({ ha }) => ha.notification_delay_max_ms, 3000],
  ['DEFAULT', 'duplicate_notification_detection_interval', '7', ({ ha }) => ha.duplicate_interval_ms, 7000],
  ['DEFAULT', 'wait_period_after_service_update', '8', ({ recovery }) => recovery.service_update_timeout_ms, 8000],
  ['DEFAULT', 'wait_period_after_evacuation', '9', ({ recovery }) => recovery.evacuation_timeout_ms, 9000],
  ['DEFAULT', 'verify_interval', '2', ({ recovery }) => recovery.poll_ms, 2000],
  ['DEFAULT', 'wait_period_after_power_off', '11', ({ recovery }) => recovery.power_off_timeout_ms, 11_000],
  ['DEFAULT', 'wait_period_after_power_on', '12', ({ recovery }) => recovery.power_on_timeout_ms, 12_000],
  ['DEFAULT', 'process_unfinished_notifications_interval', '13', ({ ha }) => ha.retry_interval_ms, 13_000],
  ['DEFAULT', 'retry_notification_new_status_interval', '14', ({ ha }) => ha.retry_new_after_ms, 14_000],
  ['DEFAULT', 'check_expired_notifications_interval', '15', ({ ha }) => ha.expiry_interval_ms, 15_000],
  ['DEFAULT', 'notifications_expired_interval', '16', ({ ha }) => ha.expire_after_ms, 16_000],
  ['DEFAULT', 'host_failure_recovery_threads', '5', ({ recovery }) => recovery.evacuations_at_once, 5],
  ['DEFAULT', 'use_ssl', 'true', ({ http }) => http.tls, true],
  ['DEFAULT', 'masakari_api_listen', '::1', ({ server }) => server.listen, '[::1]:15868'],
  ['DEFAULT', 'masakari_api_listen_port', '99', ({ server }) => server.listen, '0.0.0.0:99'],
  ['DEFAULT', 'transport_url', 'rabbit://u:p@h//', ({ notifications }) => notifications.url, 'amqp://u:p@h//'],
  ['DEFAULT', 'debug', 'true', ({ log }) => log.level, 'debug'],
  ['DEFAULT', 'graceful_shutdown_timeout', '0', ({ server }) => server.graceful_shutdown_timeout_ms, 0],
  ['host_failure', 'evacuate_all_instances', 'false', ({ recovery }) => recovery.evacuate_all_instances, false],
  ['host_failure', 'ha_enabled_instance_metadata_key', 'A', ({ recovery }) => recovery.host_ha_metadata_key, 'A'],
  [
    'host_failure',
    'ignore_instances_in_error_state',
    '1',
    ({ recovery }) => recovery.ignore_instances_in_error_state,
    true,
  ],
  ['host_failure', 'service_disable_reason', 'r', ({ recovery }) => recovery.host_failed_reason, 'r'],
  ['instance_failure', 'process_all_instances', 'on', ({ recovery }) => recovery.process_all_instances, true],
  [
    'instance_failure',
    'ha_enabled_instance_metadata_key',
    'B',
    ({ recovery }) => recovery.instance_ha_metadata_key,
    'B',
  ],
  ['process_failure', 'service_disable_reason', 's', ({ recovery }) => recovery.process_failed_reason, 's'],
  ['osapi_v1', 'project_id_regex', '[a-z]+', ({ ha }) => ha.project_id_pattern, '[a-z]+'],
  ['wsgi', 'wsgi_log_format', '%(client_ip)s', ({ http }) => http.access_log_format, '%(client_ip)s'],
  ['wsgi', 'ssl_ca_file', '/ca', ({ http }) => http.tls_client_ca_file, '/ca'],
  ['wsgi', 'ssl_cert_file', '/c', ({ http }) => http.tls_cert_file, '/c'],
  ['wsgi', 'ssl_key_file', '/k', ({ http }) => http.tls_key_file, '/k'],
  ['wsgi', 'tcp_keepidle', '6', ({ http }) => http.tcp_keep_idle_ms, 6000],
  ['wsgi', 'default_pool_size', '9', ({ http }) => http.max_concurrent_requests, 9],
  ['wsgi', 'max_header_line', '4096', ({ http }) => http.max_header_line_bytes, 4096],
  ['wsgi', 'keep_alive', 'False', ({ http }) => http.keep_alive, false],
  ['wsgi', 'client_socket_timeout', '0', ({ http }) => http.idle_timeout_ms, 0],
  ['oslo_middleware', 'max_request_body_size', '1000', ({ ha }) => ha.max_body_bytes, 1000],
  ['oslo_middleware', 'enable_proxy_headers_parsing', 'yes', ({ ha }) => ha.believe_forwarded, true],
  ['oslo_policy', 'policy_file', '/p.yaml', ({ policy }) => policy.file, '/p.yaml'],
  ['oslo_policy', 'policy_dirs', '/p.d,/q.d', ({ policy }) => policy.directories, ['/p.d', '/q.d']],
  ['cors', 'allowed_origin', 'https://a,https://b', ({ ha }) => ha.cors_origins, ['https://a', 'https://b']],
  ['keystone_authtoken', 'www_authenticate_uri', 'http://k', ({ auth }) => auth.authenticate_uri, 'http://k'],
  ['keystone_authtoken', 'auth_url', 'http://k/v3', ({ auth }) => auth.keystone_url, 'http://k/v3'],
  ['keystone_authtoken', 'username', 'u', ({ auth }) => auth.user_name, 'u'],
  ['keystone_authtoken', 'password', 'p$$w', ({ auth }) => auth.password, 'p$w'],
  ['keystone_authtoken', 'project_name', 'ha', ({ auth }) => auth.project_name, 'ha'],
  ['keystone_authtoken', 'user_domain_name', 'd', ({ auth }) => auth.user_domain_name, 'd'],
  ['keystone_authtoken', 'user_domain_id', 'i', ({ auth }) => auth.user_domain_id, 'i'],
  ['keystone_authtoken', 'project_domain_name', 'e', ({ auth }) => auth.project_domain_name, 'e'],
  ['keystone_authtoken', 'project_domain_id', 'j', ({ auth }) => auth.project_domain_id, 'j'],
  ['keystone_authtoken', 'application_credential_id', 'a', ({ auth }) => auth.application_credential_id, 'a'],
  ['keystone_authtoken', 'application_credential_secret', 's', ({ auth }) => auth.application_credential_secret, 's'],
  ['keystone_authtoken', 'system_scope', 'all', ({ auth }) => auth.system_scope, 'all'],
  ['keystone_authtoken', 'cafile', '/ca', ({ auth }) => auth.ca_file, '/ca'],
  ['keystone_authtoken', 'insecure', 'True', ({ auth }) => auth.insecure, true],
  ['keystone_authtoken', 'token_cache_time', '60', ({ auth }) => auth.token_cache_ms, 60_000],
  ['oslo_messaging_notifications', 'driver', 'messagingv2', ({ notifications }) => notifications.driver, 'rabbitmq'],
  ['oslo_messaging_notifications', 'transport_url', 'rabbit://h', ({ notifications }) => notifications.url, 'amqp://h'],
  ['oslo_messaging_notifications', 'topics', 'a,b', ({ notifications }) => notifications.topics, ['a', 'b']],
]

async function loaded(text: string): Promise<{ config: Config; file: string; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-conf-'))
  onTestFinished(async () => await rm(directory, { recursive: true }))
  const file = join(directory, 'masakari.conf')
  await writeFile(file, text)
  return { config: await loadConfig({ importConf: file }), file, directory }
}

test.each(CASES)('21 [%s] %s = %s', async (group, option, value, read, expected) => {
  const text = `[${group}]\n${option} = ${value}\n`
  expect(read((await loaded(text)).config)).toEqual(expected)
  expect(importMasakariConf(text, MACHINE).warnings).toEqual([])
  expect(read(await loadConfig({}))).not.toEqual(expected)
})

test('21 every option of the reference that is known here is taken over, or it is said why not', async () => {
  const seen = new Set(CASES.map(([group, option]) => `${group}.${option}`))
  const rest = OPTIONS.filter(({ group, name }) => !seen.has(`${group}.${name}`) && !/^nova_|^os_/.test(name))
  const text = rest.map(({ group, name, type }) => `[${group}]\n${name} = ${type === 'dict' ? 'a:b' : '1'}\n`).join('')
  const { sections, warnings } = importMasakariConf(text, MACHINE)
  expect(sections).toEqual({})
  expect(warnings).toHaveLength(rest.length)
  for (const { group, name } of rest) {
    expect(warnings).toContainEqual(expect.stringMatching(new RegExp(`^\\[${group}\\] ${name} is left out: .`)))
  }
})

test('21 where a file says nothing, what the reference does holds: tokens, every address, the policy beside the file', async () => {
  const { directory, config } = await loaded('[oslo_policy]\npolicy_dirs = more\n')
  expect(config.auth.strategy).toBe('keystone')
  expect(config.server.listen).toBe('0.0.0.0:15868')
  expect(config.policy).toMatchObject({ file: join(directory, 'policy.yaml'), directories: [join(directory, 'more')] })
  const said = await loaded(
    '[DEFAULT]\nauth_strategy = noauth2\nmasakari_api_listen = 127.0.0.1\n[oslo_policy]\npolicy_file = p.json\n',
  )
  expect(said.config.auth.strategy).toBe('noauth2')
  expect(said.config.server.listen).toBe('127.0.0.1:15868')
  expect(said.config.policy).toMatchObject({
    file: join(said.directory, 'p.json'),
    directories: [join(said.directory, 'policy.d')],
  })
})

test('21 $host is the name of this machine', async () => {
  const { config } = await loaded('[DEFAULT]\nosapi_masakari_link_prefix = https://$host/\n')
  expect(config.ha.link_prefix).toBe(`https://${hostname()}/`)
})

test('21 check names what was left out of an imported file, and what is named in vain', async () => {
  const { file, directory } = await loaded(
    '[DEFAULT]\nauth_strategy = noauth2\nhost = node-1\nmasakari_topic = x\nosapi_masakari_link_prefix = $my_ip\n',
  )
  const results: CheckResult[] = []
  const options = { importConf: file, set: [`compute.simulated_hosts=1`], dataDir: directory, env: {} }
  for await (const result of check({ ...options, signal: AbortSignal.timeout(30_000) })) results.push(result)
  expect(results.filter(({ name }) => name === 'import')).toEqual([
    { name: 'import', ok: true, text: '[DEFAULT] host is left out: an engine makes up its own name.' },
    { name: 'import', ok: true, text: '[DEFAULT] masakari_topic is left out: it has no meaning here.' },
    {
      name: 'import',
      ok: true,
      text: expect.stringMatching(/^\[DEFAULT\] osapi_masakari_link_prefix \(line 5\) names \$my_ip, /) as string,
    },
  ])
})

test('21 an option without any meaning here is no error: it is named', () => {
  const options = ['masakari_topic', 'notification_driver', 'engine_manager', 'periodic_enable', 'rpc_response_timeout']
  const { sections, warnings } = importMasakariConf(
    `[DEFAULT]\n${options.map((name) => `${name} = 1\n`).join('')}`,
    MACHINE,
  )
  expect(sections).toEqual({})
  expect(warnings).toEqual(options.map((name) => `[DEFAULT] ${name} is left out: it has no meaning here.`))
})
