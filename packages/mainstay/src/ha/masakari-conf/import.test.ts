import { describe, expect, test } from 'vitest'

import { defaultText } from './defaults.ts'
import { importMasakariConf } from './import.ts'
import { readValue } from './option.ts'
import { OPTIONS } from './options.ts'

const MACHINE = { host: 'node-7' }

describe('masakari.conf (ha-api 21)', () => {
  test('an ordinary file becomes sections of our own', () => {
    const { sections, warnings } = importMasakariConf(
      `
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
`,
      MACHINE,
    )
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
    expect(() => importMasakariConf(text, MACHINE)).toThrow(message)
  })

  test('a line that repeats an option replaces it, and an unknown reference stays as it is', () => {
    const { sections } = importMasakariConf(
      '[DEFAULT]\nosapi_max_limit = 1\nosapi_max_limit = 2\nosapi_masakari_link_prefix = $nothing/x',
      MACHINE,
    )
    expect(sections['ha']).toEqual({ max_limit: 2, link_prefix: '$nothing/x' })
  })

  test('an option that nobody sets stands for its default where another one names it', () => {
    const { sections } = importMasakariConf(
      `[DEFAULT]
wait_period_after_evacuation = $wait_period_after_power_off
osapi_masakari_link_prefix = https://x:$masakari_api_listen_port/\${host_failure.ha_enabled_instance_metadata_key}
[process_failure]
service_disable_reason = \${host_failure.service_disable_reason} $state_path
[instance_failure]
ha_enabled_instance_metadata_key = $verify-interval/$verify_interval
`,
      MACHINE,
    )
    expect(sections).toMatchObject({
      recovery: {
        evacuation_timeout_ms: 180_000,
        process_failed_reason: 'Masakari detected host failed. /var/lib/masakari',
        instance_ha_metadata_key: '$verify-interval/1',
      },
      ha: { link_prefix: 'https://x:15868/HA_Enabled' },
    })
  })

  test.each([
    // what is written, what it is with my_name = ha and [wsgi] ssl_ca_file = /ca; as oslo.config has it
    ['https://$host/', 'https://node-7/'],
    ['${my_name}-$my_name', 'ha-ha'],
    ['$$x \\$y $$$my_name', '$x $y $ha'],
    ['${wsgi.ssl_ca_file} $wsgi.ssl_ca_file', '/ca /ca'],
    ['$wsgi.keep_alive $MASAKARI', 'true $MASAKARI'],
    ['<$os_region_name>', '<>'],
    ['$1 $ $- ${ x ${} ${my-name}', '$1 $ $- ${ x ${} ${my-name}'],
    ['$my_name. $my_name.example', 'ha. ha.example'],
  ])('%s stands for %s', (text, expected) => {
    const file = `[DEFAULT]\nosapi_masakari_link_prefix = ${text}\nmy_name = ha\n[wsgi]\nssl_ca_file = /ca\n`
    expect(importMasakariConf(file, MACHINE).sections['ha']).toEqual({ link_prefix: expected })
  })

  test('the host of the file goes before the name of the machine', () => {
    const file = '[DEFAULT]\nhost = node-1\n[process_failure]\nservice_disable_reason = $host\n'
    expect(importMasakariConf(file, MACHINE).sections['recovery']).toEqual({ process_failed_reason: 'node-1' })
  })

  test('a name that does not exist is told with its option and line, once; of a secret nothing is shown', () => {
    const { warnings } = importMasakariConf(
      `[DEFAULT]
masakari_api_listen = $my_ip
osapi_masakari_link_prefix = https://$name/
name = \${nowhere.name}
[keystone_authtoken]
password = se$cret
username = $mine
mine = $host
`,
      MACHINE,
    )
    const remedy = 'it is taken as it stands. Correct the name, or write $$ for the sign itself.'
    const nowhere = "which is neither in this file nor one of Masakari's"
    expect(warnings.slice(2)).toEqual([
      `[DEFAULT] masakari_api_listen (line 2) names $my_ip, ${nowhere}: ${remedy}`,
      `[DEFAULT] name (line 4) names \${nowhere.name}, ${nowhere}: ${remedy}`,
      `[keystone_authtoken] password (line 6) names an option, ${nowhere}: ${remedy}`,
    ])
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
