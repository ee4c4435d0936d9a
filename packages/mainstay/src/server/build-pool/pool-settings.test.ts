import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { SystemRandom } from '../../core/random.ts'
import { DEFAULT_GROUP_RULES, DEFAULT_POOL_RULES } from '../../pool/options.ts'
import type { PoolSettings } from '../../pool/native-pool.ts'
import { ProviderFleet } from '../../pool/provider/fleet.ts'
import { loadConfig } from '../config/load.ts'
import { poolProviders } from './pool-providers.ts'
import { poolSettings } from './pool-settings.ts'

const clock = new SystemClock()

/** What the program makes of groups (and more) that are written in TOML. */
async function settings(groups: string, ...more: readonly string[]): Promise<PoolSettings> {
  const set = [`pool.groups=[${groups}]`, 'pool.providers=[{ name = "sim", driver = "simulated" }]', ...more]
  const { pool } = await loadConfig({ set })
  const members = poolProviders(pool.providers, { clock, installation: 'test' })
  const fleet = new ProviderFleet({ members, clock, random: new SystemRandom() })
  return poolSettings(pool, { clock, fleet })
}

describe('the section [pool]', () => {
  test('C20 a group that names only itself has the rules that the documentation gives', async () => {
    const { configuration, setup, labels, reconcile, forecast } = await settings('{ id = "a" }')
    expect(configuration.pool).toEqual(DEFAULT_POOL_RULES)
    expect(configuration.groups).toEqual([{ ...DEFAULT_GROUP_RULES, id: 'a', name: 'a', labels: ['a'] }])
    expect(setup.groups.get('a')).toMatchObject({ providers: ['sim'], checkTimeoutMs: 10_000, checkOnAcquire: false })
    expect([labels, reconcile.mode, forecast]).toEqual([[], 'destroy', false])
  })

  test('C8 sizes of a group are those of the label that has its name; labels span groups', async () => {
    const { labels } = await settings(
      '{ id = "a", labels = ["linux"], min_ready = 2, max_total = 9, schedules = [{ cron = "0 8 * * 1-5", time_zone = "Europe/Prague", for_ms = 3600000, override = { min_ready = 5 } }] }, { id = "b", labels = ["linux"] }',
      'pool.labels=[{ label = "linux", min_ready = 4, max_total = 12 }]',
    )
    expect(labels).toMatchObject([
      { label: 'linux', minReady: 4, maxTotal: 12 },
      { label: 'a', minReady: 2, maxTotal: 0, schedules: [{ cron: '0 8 * * 1-5', override: { minReady: 5 } }] },
    ])
  })

  test.each([
    ['a provider that nobody has', '{ id = "a", providers = ["nope"] }', 'names a provider nope'],
    [
      'a minimum above the maximum',
      '{ id = "a", min_ready = 5, max_ready = 2 }',
      'min_ready 5 is more than max_ready 2',
    ],
    [
      'a schedule without sense',
      '{ id = "a", schedules = [{ cron = "often", for_ms = 1, override = {} }] }',
      'cannot be read',
    ],
    ['an option that nobody knows', '{ id = "a", min_redy = 5 }', 'Did you mean pool.groups.0.min_ready?'],
    ['a check without its port', '{ id = "a", checks = [{ kind = "tcp" }] }', 'needs a port'],
    ['a check without its program', '{ id = "a", checks = [{ kind = "hook" }] }', 'needs the program'],
    ['a name that cannot stand in a path', '{ id = "a/b" }', 'pool.groups.0.id'],
    ['the same name twice', '{ id = "a" }, { id = "a" }', 'two groups named a'],
    ['a negative number', '{ id = "a", max_total = -1 }', 'pool.groups.0.max_total'],
    ['a word for a number', '{ id = "a", max_total = "many" }', 'pool.groups.0.max_total'],
  ])('C20 refuses %s', async (_what, groups, complaint) => {
    await expect(settings(groups)).rejects.toThrow(complaint)
  })

  test('C20 refuses a label that no group carries', async () => {
    await expect(settings('{ id = "a" }', 'pool.labels=[{ label = "windows" }]')).rejects.toThrow(
      'which no group carries',
    )
  })

  test('C11 refuses a provider without what its driver needs', async () => {
    await expect(settings('{ id = "a" }', 'pool.providers=[{ name = "hooks", driver = "command" }]')).rejects.toThrow(
      'needs its programs',
    )
  })
})
