import { describe, expect, test } from 'vitest'

import { defaultText } from './defaults.ts'
import { importMasakariConf } from './import.ts'
import { readValue } from './option.ts'
import { OPTIONS } from './options.ts'

describe('masakari.conf (ha-api 21)', () => {
  test('an ordinary file becomes sections of our own', () => {
    const { sections, warnings } = importMasakariConf(`
# the usual
[DEFAULT]
auth_strategy = keystone
masakari_api_listen_port = 15869
osapi_max_limit=50
host_failure_recovery_threads = 5
transport_url = rabbit://user:pa$$word@mq:5672/vhost
my_name = ha
osapi_masakari_link_prefix = https://$my_name.example/\${DEFAULT.my_name}

[host_failure]
evacuate_all_instances = False
ha_enabled_instance_metadata_key: HA

[cors]
allowed_origin = https://a.example,
    https://b.example

[oslo_messaging_notifications]
driver = messagingv2

[keystone_authtoken]
auth_url = http://k:5000/v3
password = "se cret"
token_cache_time = -1

[coordination]
backend_url = etcd3+http://x
[wsgi]
keep_alive = no
`)
    expect(sections).toEqual({
      server: { listen: '0.0.0.0:15869' },
      auth: { strategy: 'keystone', keystone_url: 'http://k:5000/v3', password: 'se cret', token_cache_ms: 0 },
      ha: {
        max_limit: 50,
        link_prefix: 'https://ha.example/ha',
        cors_origins: ['https://a.example', 'https://b.example'],
      },
      recovery: { evacuations_at_once: 5, evacuate_all_instances: false, host_ha_metadata_key: 'HA' },
      http: { keep_alive: false },
      notifications: { url: 'amqp://user:pa$word@mq:5672/vhost', driver: 'rabbitmq' },
    })
    expect(warnings).toEqual([
      '[DEFAULT] my_name is left out: it has no meaning here.',
      '[coordination] backend_url is left out: locks are kept in the database of this program.',
    ])
  })

  test.each([
    ['[DEFAULT]\nosapi_max_limit = many', /osapi_max_limit.*"many".*integer/],
    ['[DEFAULT]\nmasakari_api_listen_port = 70000', /at most 65535/],
    ['[DEFAULT]\nauth_strategy = none', /keystone, noauth2/],
    ['[DEFAULT]\nuse_ssl = perhaps', /true or false/],
    ['[DEFAULT]\nnonsense', /Line 2/],
    ['[DEFAULT]\nosapi_masakari_link_prefix = $a\na = $b\nb = $a', /circle/],
  ])('%j is refused', (text, message) => {
    expect(() => importMasakariConf(text)).toThrow(message)
  })

  test('a line that repeats an option replaces it, and an unknown reference stays as it is', () => {
    const { sections } = importMasakariConf(
      '[DEFAULT]\nosapi_max_limit = 1\nosapi_max_limit = 2\nosapi_masakari_link_prefix = $nothing/x',
    )
    expect(sections['ha']).toEqual({ max_limit: 2, link_prefix: '$nothing/x' })
  })

  test('an option that nobody sets stands for its default where another one names it', () => {
    const { sections } = importMasakariConf(`[DEFAULT]
wait_period_after_evacuation = $wait_period_after_power_off
osapi_masakari_link_prefix = https://x:$masakari_api_listen_port/\${host_failure.ha_enabled_instance_metadata_key}
[process_failure]
service_disable_reason = \${host_failure.service_disable_reason} $state_path
[instance_failure]
ha_enabled_instance_metadata_key = $verify-interval/$verify_interval
`)
    expect(sections).toMatchObject({
      recovery: {
        evacuation_timeout_ms: 180_000,
        process_failed_reason: 'Masakari detected host failed. /var/lib/masakari',
        instance_ha_metadata_key: '$verify-interval/1',
      },
      ha: { link_prefix: 'https://x:15868/HA_Enabled' },
    })
  })

  test.each(OPTIONS.filter(({ group, name }) => defaultText(group, name) !== undefined))(
    'the default of [$group] $name can be read as the option',
    (option) => {
      expect(readValue(option, defaultText(option.group, option.name) ?? '')).toBeDefined()
    },
  )

  test.each(OPTIONS)(
    'M303 the help of [$group] $name begins with a capital letter and ends as a sentence',
    ({ help }) => {
      expect(help).toMatch(/^[A-Z].*\.$/)
    },
  )
})
