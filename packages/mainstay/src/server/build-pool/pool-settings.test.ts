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

/** A provider that can make and destroy machines and nothing else. */
const HOOKS =
  'pool.providers=[{ name = "hooks", driver = "command", command = { create = ["true"], destroy = ["true"] } }]'

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

  test.each([
    [
      'min_ready above max_total',
      '{ id = "a", min_ready = 9 }',
      'pool.groups "a": min_ready 9 is more than max_total 8.',
    ],
    [
      'min_total above max_total',
      '{ id = "a", min_total = 3, max_total = 2 }',
      'min_total 3 is more than max_total 2.',
    ],
    ['standby above max_total', '{ id = "a", standby = 9 }', 'standby 9 is more than max_total 8.'],
    [
      'min_ready and standby that do not fit together',
      '{ id = "a", min_ready = 5, standby = 4 }',
      'pool.groups "a": min_ready 5 and standby 4 are together more than max_total 8.',
    ],
    [
      'a minimum that is always there, on demand',
      '{ id = "a", on_demand = true, min_total = 1 }',
      'on_demand keeps no machine until somebody asks, and min_total 1 keeps some always.',
    ],
    [
      'a schedule that asks for more than there may be',
      '{ id = "a", schedules = [{ cron = "0 8 * * 1-5", for_ms = 1, override = { min_ready = 20 } }] }',
      'pool.groups "a", schedule "0 8 * * 1-5": min_ready 20 is more than max_total 8.',
    ],
    [
      'a schedule that lowers a maximum below what holds beside it',
      '{ id = "a", min_ready = 5, schedules = [{ cron = "0 8 * * 1-5", for_ms = 1, override = { max_ready = 4 } }] }',
      'schedule "0 8 * * 1-5": min_ready 5 is more than max_ready 4.',
    ],
    ['an architecture twice', '{ id = "a", archs = ["x", "y", "x"] }', 'pool.groups "a": archs has x twice.'],
    ['a label twice', '{ id = "a", labels = ["l", "l"] }', 'pool.groups "a": labels has l twice.'],
    ['a provider twice', '{ id = "a", providers = ["sim", "sim"] }', 'pool.groups "a": providers has sim twice.'],
    [
      'a check that is lost before its time is over',
      '{ id = "a", check_timeout_ms = 400000 }',
      'check_timeout_ms 400000 is more than check_max_time_ms 300000',
    ],
    [
      'checks that are too old before the next',
      '{ id = "a", max_check_age_ms = 60000 }',
      'max_check_age_ms 60000 is less than check_period_ms 120000',
    ],
  ])('C8 C20 refuses %s', async (_what, groups, complaint) => {
    await expect(settings(groups)).rejects.toThrow(complaint)
  })

  test.each([
    [
      'a label that wants more than its groups may have',
      ['pool.labels=[{ label = "l", min_ready = 17 }]'],
      'pool.labels "l": min_ready 17 is more than the max_total 16 of its groups (a, b) together.',
    ],
    [
      'a label that wants more than it may have',
      ['pool.labels=[{ label = "l", min_ready = 5, max_total = 4 }]'],
      'pool.labels "l": min_ready 5 is more than max_total 4.',
    ],
    ['a label twice', ['pool.labels=[{ label = "l" }, { label = "l" }]'], 'two labels named l'],
    [
      'a size that is said twice',
      ['pool.labels=[{ label = "b", min_ready = 1 }]'],
      'How many b there are is said twice: in pool.labels and in pool.groups.',
    ],
    [
      'a master that cannot keep its lead',
      ['pool.master_renew_ms=6000'],
      'pool.master_renew_ms 6000 is not less than pool.master_lease_ms 6000',
    ],
    [
      'a rate that nothing comes back of',
      ['pool.spawn_burst=5', 'pool.spawns_per_minute=0'],
      'pool.spawns_per_minute 0 gives nothing back of pool.spawn_burst 5',
    ],
    [
      'machines that stand by where none can be stopped',
      [HOOKS, 'pool.labels=[{ label = "l", standby = 1 }]'],
      'pool.labels "l": standby needs providers that stop and start machines, and hooks, which makes those of a, cannot.',
    ],
  ])('C8 C20 refuses %s', async (_what, more, complaint) => {
    const groups = '{ id = "a", labels = ["l"] }, { id = "b", labels = ["l"], min_ready = 1 }'
    await expect(settings(groups, ...more)).rejects.toThrow(complaint)
  })

  test('C17 C20 refuses to reset machines where the provider cannot', async () => {
    await expect(settings('{ id = "a", dirty_policy = "reset" }', HOOKS)).rejects.toThrow(
      'pool.groups "a": dirty_policy "reset" needs a provider that resets machines, and hooks cannot.',
    )
  })

  test('C20 says all that is wrong at once', async () => {
    await expect(settings('{ id = "a", min_ready = 9, archs = ["x", "x"] }')).rejects.toThrow(
      /archs has x twice\.\n.*min_ready 9 is more than max_total 8\./,
    )
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
