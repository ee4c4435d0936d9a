import { describe, expect, test } from 'vitest'

import { agentOptions } from '../agent-options.ts'
import { AgentConfigError } from '../errors.ts'
import { importMonitorsConf } from './monitors-conf.ts'
import { editDistance, nearestName } from './nearest-name.ts'
import { parseOsloConfig } from './parse-oslo.ts'

const FILE = 'masakarimonitors.conf'

const TYPICAL = `
[DEFAULT]
hostname = cn7
debug = False
log_dir = /var/log/masakari

[api]
region = RegionTwo
auth_type = password
auth_url = http://keystone:5000/v3
username = masakari
password = "pa$$w0rd"
project_name = service
user_domain_id = default
project_domain_id = default
api_interface = internal
timeout = 5

[callback]
retry_max = 4
retry_interval = 2

[libvirt]
connection_uri = qemu:///system

[host]
monitoring_driver = default
disable_ipmi_check = false
api_retry_max = 3

[process]
process_list_path = /etc/masakarimonitors/process_list.yaml

[introspectiveinstancemonitor]
guest_monitor_interval = 10

[keystone_authtoken]
whatever = 1
`

describe('masakarimonitors.conf (monitors section 10)', () => {
  test('is taken as it is', () => {
    const { options, warnings } = importMonitorsConf(TYPICAL, FILE)
    const agent = agentOptions(options)
    expect(agent.hostname).toBe('cn7')
    expect(agent.api).toMatchObject({
      authType: 'keystone',
      region: 'RegionTwo',
      interface: 'internal',
      timeoutMs: 5_000,
    })
    expect(agent.api.keystone).toMatchObject({
      auth_url: 'http://keystone:5000/v3',
      username: 'masakari',
      password: 'pa$w0rd',
    })
    expect(agent.sender.retry).toEqual({
      VM: { max: 4, intervalMs: 2_000 },
      COMPUTE_HOST: { max: 3, intervalMs: 10_000 },
      PROCESS: { max: 12, intervalMs: 10_000 },
    })
    expect(warnings).toEqual([
      `${FILE}: [introspectiveinstancemonitor] guest_monitor_interval is no known option and does nothing. ` +
        `Did you mean guest_monitoring_interval?`,
    ])
  })

  test('an empty file leaves every default', () => {
    expect(agentOptions(importMonitorsConf('', FILE).options)).toEqual(agentOptions())
  })

  test('the defaults are those of the table', () => {
    const { sender, api, libvirt, instance, metrics } = agentOptions({ hostname: 'cn1' })
    expect(sender).toMatchObject({
      spoolDir: '/var/lib/mainstay/spool',
      spoolTtlMs: 86_400_000,
      sendConcurrency: 4,
      retryMode: 'backoff',
      shutdownGraceMs: 10_000,
      retryCapMs: 60_000,
    })
    expect(api).toMatchObject({ region: 'RegionOne', interface: 'public', authType: 'keystone', insecure: false })
    expect(libvirt.connectionUri).toBe('qemu:///system')
    expect(instance).toMatchObject({
      dedupeWindowMs: 10_000,
      panicAs: 'native',
      ignoreDomains: [],
      uuidSource: 'domain',
    })
    expect(metrics.listen).toBe('127.0.0.1:9710')
  })

  test('Mainstay’s own options', () => {
    const text = `
[sender]
spool_dir = /srv/spool
spool_ttl = 60
send_concurrency = 2
retry_mode = compat
shutdown_grace = 3
[instance]
dedupe_window = 1
panic_as = stopped_failed
ignore_domains = build-*, test-?
uuid_source = metadata:http://x#id
identity_timeout = 9
reconcile_timeout = 90
[libvirt]
connect_timeout = 2
call_timeout = 3
keepalive_interval = 4
keepalive_misses = 5
[metrics]
listen = 0
[api]
auth_type = none
endpoint_override = http://127.0.0.1:15868/v1
`
    const agent = agentOptions(importMonitorsConf(text, FILE).options)
    expect(agent.sender).toMatchObject({
      spoolDir: '/srv/spool',
      spoolTtlMs: 60_000,
      sendConcurrency: 2,
      retryMode: 'compat',
      shutdownGraceMs: 3_000,
    })
    expect(agent.instance).toMatchObject({
      dedupeWindowMs: 1_000,
      panicAs: 'stopped_failed',
      ignoreDomains: ['build-*', 'test-?'],
      uuidSource: 'metadata:http://x#id',
      identityTimeoutMs: 9_000,
      reconcileTimeoutMs: 90_000,
    })
    expect(agent.libvirt).toEqual({
      connectionUri: 'qemu:///system',
      connectTimeoutMs: 2_000,
      callTimeoutMs: 3_000,
      keepaliveIntervalMs: 4_000,
      keepaliveMisses: 5,
    })
    expect(agent.metrics.listen).toBe('0')
    expect(agent.api).toMatchObject({ authType: 'none', endpoint: 'http://127.0.0.1:15868/v1' })
  })

  test('the old name of hostname', () => {
    expect(importMonitorsConf('[DEFAULT]\nhost = cn8', FILE).options.hostname).toBe('cn8')
  })

  test.each([
    ['[callback]\nretry_max = many', '[callback] retry_max is "many"'],
    ['[sender]\nretry_mode = fast', 'expected backoff, compat'],
    ['[sender]\nsend_concurrency = 0', 'at least 1'],
    ['[api]\ninsecure = perhaps', 'expected true or false'],
    ['[api]\napi_interface = private', 'expected public, internal, admin'],
    ['hostname = x', 'line 1: "hostname" stands before the first section'],
    ['[DEFAULT]\nnonsense', 'line 2: "nonsense" is neither a section nor name = value'],
  ])('%j is refused with the place and what was expected', (text, message) => {
    const reading = (): unknown => importMonitorsConf(text, FILE)
    expect(reading).toThrow(AgentConfigError)
    expect(reading).toThrow(message)
  })

  test.each(['', 'a b', 'host/1', 'x'.repeat(256)])('SND-4 the host name %j is refused', (hostname) => {
    expect(() => agentOptions({ hostname })).toThrow(AgentConfigError)
  })
})

describe('files of the OpenStack family', () => {
  test.each([
    ['a = 1', '1'],
    ['a: 1', '1'],
    ['a=x=y:z', 'x=y:z'],
    ['a = "quoted"', 'quoted'],
    ["a = 'quoted'", 'quoted'],
    ['a = one\n  two\n\tthree', 'one\ntwo\nthree'],
    ['a = 1\na = 2', '2'],
    ['b = 7\na = $b/${b}/$$b', '7/7/$b'],
    ['a = ${DEFAULT.d}-$d', 'up-up'],
    ['a = $unknown', '$unknown'],
    ['# a = 0\n; a = 0\na = 1', '1'],
  ])('%j', (text, expected) => {
    expect(parseOsloConfig(`[DEFAULT]\nd = up\n[s]\n${text}\n`, FILE).get('s')?.get('a')).toBe(expected)
  })

  test('a dash in a name is an underscore', () => {
    expect(parseOsloConfig('[s]\nlog-dir = x', FILE).get('s')?.get('log_dir')).toBe('x')
  })
})

describe('what was probably meant', () => {
  test.each([
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['same', 'same', 0],
  ])('from %j to %j: %i letters', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance)
  })

  test('nothing is near enough to something else altogether', () => {
    expect(nearestName('zzzzzz', ['retry_max', 'retry_interval'])).toBeUndefined()
  })
})
