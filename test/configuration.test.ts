import { readFile } from 'node:fs/promises'

import { describe, expect, test } from 'vitest'

import { loadConfig } from '../packages/mainstay/src/server/index.ts'
import { configurationPage } from '../scripts/configuration-reference.ts'

describe('the configuration', () => {
  test('is described by a page that is current', async () => {
    const page = await readFile(new URL('../docs/reference/configuration.md', import.meta.url), 'utf8')
    expect(page, 'run: node scripts/generate-configuration.ts').toBe(configurationPage())
  })

  test('is complete without any source', async () => {
    const config = await loadConfig({})
    expect(config.server.listen).toBe('127.0.0.1:15868')
    expect(config.compute.driver).toBe('simulated')
    expect(config.recovery.attempts).toBe(2)
  })

  test('takes the command line over the environment, and both over the defaults', async () => {
    const env = { MAINSTAY__RECOVERY__ATTEMPTS: '3', MAINSTAY__LOG__LEVEL: 'warn', OTHER: 'x' }
    const config = await loadConfig({ env, set: ['recovery.attempts=4'] })
    expect(config.recovery.attempts).toBe(4)
    expect(config.log.level).toBe('warn')
  })

  test('reaches options of a section in a section from everywhere', async () => {
    const env = { MAINSTAY__EVENTS__OPENSTACK__QUEUE_PREFIX: 'mine', MAINSTAY__EVENTS__OPENSTACK__PREFETCH: '7' }
    const config = await loadConfig({ env, set: ['events.openstack.prefetch=8'] })
    expect(config.events.openstack).toMatchObject({ queue_prefix: 'mine', prefetch: 8 })
  })

  test.each([
    [['events.openstack.prefetsch=1'], 'events.openstack.prefetch?'],
    [['events.store.x=1', 'events.store=sqlite', 'events.store.x=1'], 'events.store'],
    [['events.constructor.x=1'], 'There is no option constructor'],
    [['recovery.attempts=many'], 'recovery.attempts'],
    [['recovery.attempts=0'], 'recovery.attempts'],
    [['recovery.atempts=2'], 'recovery'],
    [['nonsense.key=1'], 'There is no option nonsense'],
    [['__proto__.x=3'], 'There is no option __proto__'],
    [['server.__proto__=3'], 'There is no option __proto__'],
    [['server.data_dir=""'], 'server.data_dir'],
    [['attempts=1'], 'section.key=value'],
    [['server.roles=["api","cook"]'], 'server.roles'],
  ])('says which option is wrong in %j', async (set, named) => {
    await expect(loadConfig({ set })).rejects.toThrow(named)
  })
})
