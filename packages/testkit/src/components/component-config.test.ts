import { expect, test } from 'vitest'
import { componentSpec, type ComponentName } from './component.ts'

test.each<[ComponentName, string, string]>([
  ['keystone', 'adminPasword', 'did you mean "adminPassword"?'],
  ['glance-api', 'flavour', 'did you mean "flavor"?'],
  ['glance-scrubber', 'deamon', 'did you mean "daemon"?'],
  ['masakari-api', 'transportURL', 'did you mean "transportUrl"?'],
  ['masakari-engine', 'apii', 'did you mean "api"?'],
  ['rabbitmq', 'plugin', 'did you mean "plugins"?'],
  ['masakari-engine', 'somethingElse', 'use transportUrl, api'],
])('H-7 %s has no key "%s": %s', (name, key, hint) => {
  const message = expect.stringMatching(
    new RegExp(`^component "${name}" has no configuration key "${key}".*${hint.replace('?', '\\?')}$`),
  )
  expect(() => componentSpec(name, { config: { [key]: 'x' } })).toThrow(
    expect.objectContaining({ code: 'TK_CONFIG_UNKNOWN_KEY', message }),
  )
})

test.each<[ComponentName, Record<string, unknown>]>([
  ['keystone', { adminPassword: 'other', bcryptRounds: 5 }],
  ['masakari-engine', { api: 'masakari-api' }],
  ['postgres', { work_mem: '1MB' }],
  ['mariadb', { 'sort-buffer-size': '1M' }],
  ['redis', { maxclients: 10 }],
])('%s takes %j beside its defaults', (name, config) => {
  const { config: defaults } = componentSpec(name)
  expect(componentSpec(name, { config }).config).toEqual({ ...defaults, ...config })
})

test.each<[ComponentName, string]>([
  ['postgres', 'listen_addresses'],
  ['mariadb', 'bind_address'],
  ['mariadb', 'Port'],
  ['redis', 'requirepass'],
])('%s cannot be given %s, which the kit sets', (name, key) => {
  expect(() => componentSpec(name, { config: { [key]: 'x' } })).toThrow(
    expect.objectContaining({ code: 'TK_BAD_SPEC', message: expect.stringContaining(`"${key}" is set by the kit`) }),
  )
})
