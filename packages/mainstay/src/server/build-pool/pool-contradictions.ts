import type { ProviderFleet } from '../../pool/provider/fleet.ts'
import type { ProviderCapabilities } from '../../pool/provider/provider.ts'
import type { PoolGroupConfig, PoolLabelConfig } from '../config/pool-group-schema.ts'
import type { PoolConfig } from '../config/pool-schema.ts'

type Sizes = Pick<
  PoolLabelConfig,
  'min_ready' | 'max_ready' | 'min_total' | 'max_total' | 'standby' | 'on_demand' | 'schedules'
>

/** Who wants machines: a label, or a group under its own name. */
interface Wish {
  /** How the configuration names it. */
  readonly place: string
  readonly sizes: Sizes
  /** The groups that can serve it. */
  readonly carriers: readonly PoolGroupConfig[]
}

/**
 * What in the section [pool] cannot hold together, one sentence each with the names of the options. A pool that started with such
 * options would do something else than what is written there, and say nothing.
 *
 * Source: vm-pool.md A7 (validated at load), C8, C11, C17, C20.
 */
export function poolContradictions(config: PoolConfig, fleet: Pick<ProviderFleet, 'providers'>): string[] {
  const wishes = wishesOf(config)
  return [
    ...repeats(config),
    ...timing(config),
    ...config.groups.flatMap((group) => groupTrouble(group, wishes, fleet)),
    ...wishes.flatMap(wishTrouble),
  ]
}

function wishesOf({ groups, labels }: PoolConfig): Wish[] {
  const carriers = (label: string): PoolGroupConfig[] =>
    groups.filter((group) => group.id === label || group.labels.includes(label))
  return [
    ...labels.map((sizes) => ({
      place: `pool.labels "${sizes.label}"`,
      sizes,
      carriers: carriers(sizes.label),
    })),
    ...groups.map((sizes) => ({ place: `pool.groups "${sizes.id}"`, sizes, carriers: [sizes] })),
  ]
}

function repeats({ groups, labels }: PoolConfig): string[] {
  const sizedTwice = labels.filter(({ label }) => groups.some((group) => group.id === label && isSized(group)))
  return [
    ...repeated(groups.map(({ id }) => id)).map((id) => `The pool has two groups named ${id}.`),
    ...repeated(labels.map(({ label }) => label)).map((label) => `The pool has two labels named ${label}.`),
    ...sizedTwice.map(({ label }) => `How many ${label} there are is said twice: in pool.labels and in pool.groups.`),
    ...groups.flatMap((group) =>
      (['archs', 'labels', 'providers'] as const).flatMap((option) =>
        repeated(group[option]).map((name) => `pool.groups "${group.id}": ${option} has ${name} twice.`),
      ),
    ),
  ]
}

function timing({ master_lease_ms, master_renew_ms, spawn_burst, spawns_per_minute }: PoolConfig): string[] {
  return [
    ...sayIf(
      master_renew_ms >= master_lease_ms,
      `pool.master_renew_ms ${master_renew_ms} is not less than pool.master_lease_ms ${master_lease_ms}: no master could keep its lead.`,
    ),
    ...sayIf(
      spawn_burst > 0 && spawns_per_minute === 0,
      `pool.spawns_per_minute 0 gives nothing back of pool.spawn_burst ${spawn_burst}: after that many machines none would be made.`,
    ),
  ]
}

function groupTrouble(
  group: PoolGroupConfig,
  wishes: readonly Wish[],
  fleet: Pick<ProviderFleet, 'providers'>,
): string[] {
  const { check_timeout_ms, check_max_time_ms, max_check_age_ms, check_period_ms, dirty_policy } = group
  const place = `pool.groups "${group.id}"`
  const known = fleet.providers.map(({ name }) => name)
  const lacking = (capability: keyof ProviderCapabilities): string[] =>
    fleet.providers
      .filter(({ name }) => group.providers.length === 0 || group.providers.includes(name))
      .filter(({ capabilities }) => capabilities[capability] !== true)
      .map(({ name }) => name)
  const stopping = wishes.find(({ sizes, carriers }) => carriers.includes(group) && mostOf(sizes, 'standby') > 0)
  return [
    ...group.providers
      .filter((name) => !known.includes(name))
      .map((name) => `The group ${group.id} names a provider ${name}, which pool.providers does not have.`),
    ...sayIf(
      check_timeout_ms > check_max_time_ms,
      `${place}: check_timeout_ms ${check_timeout_ms} is more than check_max_time_ms ${check_max_time_ms}, after which a check is lost.`,
    ),
    ...sayIf(
      max_check_age_ms > 0 && max_check_age_ms < check_period_ms,
      `${place}: max_check_age_ms ${max_check_age_ms} is less than check_period_ms ${check_period_ms}: between two checks nothing could be handed out.`,
    ),
    ...(dirty_policy === 'reset' ? lacking('reset') : []).map(
      (name) => `${place}: dirty_policy "reset" needs a provider that resets machines, and ${name} cannot.`,
    ),
    ...(stopping === undefined ? [] : lacking('standby')).map(
      (name) =>
        `${stopping!.place}: standby needs providers that stop and start machines, and ${name}, which makes those of ${group.id}, cannot.`,
    ),
  ]
}

function wishTrouble({ place, sizes, carriers }: Wish): string[] {
  if (carriers.length === 0) return [`${place} wants machines of a label which no group carries.`]
  return [
    ...sizeTrouble(place, sizes, carriers),
    ...sizes.schedules.flatMap(({ cron, override }) =>
      sizeTrouble(`${place}, schedule "${cron}"`, { ...sizes, ...given(override) }, carriers),
    ),
  ]
}

function sizeTrouble(
  place: string,
  { min_ready, max_ready, min_total, max_total, standby, on_demand }: Sizes,
  carriers: readonly PoolGroupConfig[],
): string[] {
  const own = { most: max_total || Number.POSITIVE_INFINITY, text: `max_total ${max_total}` }
  const most = carriers.reduce((sum, group) => sum + (group.max_total || Number.POSITIVE_INFINITY), 0)
  const names = carriers.map(({ id }) => id).join(', ')
  const room = own.most <= most ? own : { most, text: `the max_total ${most} of its groups (${names}) together` }
  const tooMany = (count: number, what: string): string[] =>
    sayIf(count > room.most, `${place}: ${what} more than ${room.text}.`)
  const each = [
    ...tooMany(min_ready, `min_ready ${min_ready} is`),
    ...tooMany(min_total, `min_total ${min_total} is`),
    ...tooMany(standby, `standby ${standby} is`),
  ]
  return [
    ...sayIf(
      max_ready > 0 && min_ready > max_ready,
      `${place}: min_ready ${min_ready} is more than max_ready ${max_ready}.`,
    ),
    ...each,
    ...(each.length > 0
      ? []
      : tooMany(min_ready + standby, `min_ready ${min_ready} and standby ${standby} are together`)),
    ...sayIf(
      on_demand && min_total > 0,
      `${place}: on_demand keeps no machine until somebody asks, and min_total ${min_total} keeps some always.`,
    ),
  ]
}

/** Whether a group says for itself how many machines it wants. */
export function isSized(group: Sizes & Pick<PoolGroupConfig, 'scale_factor'>): boolean {
  const { min_ready, max_ready, min_total, standby, scale_factor, on_demand, schedules } = group
  return min_ready + max_ready + min_total + standby + scale_factor > 0 || on_demand || schedules.length > 0
}

/** The most that a number ever is, with its schedules. */
function mostOf(sizes: Sizes, option: 'standby'): number {
  return Math.max(sizes[option], ...sizes.schedules.map(({ override }) => override[option] ?? 0))
}

function given<T extends object>(override: T): T {
  return Object.fromEntries(Object.entries(override).filter(([, value]) => value !== undefined)) as T
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
}

function sayIf(holds: boolean, sentence: string): string[] {
  return holds ? [sentence] : []
}
