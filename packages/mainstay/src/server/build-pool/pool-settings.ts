import { InvalidInputError } from '../../core/errors.ts'
import type { Clock } from '../../core/clock.ts'
import { createCheck, type CheckOptions } from '../../pool/check/index.ts'
import { DEFAULT_MASTER_RULES } from '../../pool/decide/snapshot.ts'
import type { PoolSettings } from '../../pool/native-pool.ts'
import type { GroupRules, LabelOptions, PoolRules } from '../../pool/options.ts'
import type { ProviderFleet } from '../../pool/provider/fleet.ts'
import { DEFAULT_RECONCILE_OPTIONS } from '../../pool/reconcile/index.ts'
import type { GroupSetup } from '../../pool/setup.ts'
import { checkSchedule } from '../../pool/sizing/schedule.ts'
import type { PoolGroupConfig, PoolLabelConfig } from '../config/pool-group-schema.ts'
import type { PoolConfig } from '../config/pool-schema.ts'
import { isSized, poolContradictions } from './pool-contradictions.ts'

export interface SettingsParts {
  readonly clock: Clock
  readonly fleet: ProviderFleet
}

/** What the section [pool] says, under the names of the rules. @throws InvalidInputError naming what contradicts what */
export function poolSettings(config: PoolConfig, parts: SettingsParts): PoolSettings {
  const contradictions = poolContradictions(config, parts.fleet)
  if (contradictions.length > 0) throw new InvalidInputError(contradictions.join('\n'))
  const groups = config.groups.map(groupRulesOf)
  const labels = [...config.labels.map(labelOptionsOf), ...config.groups.filter(isSized).map(ownLabelOf)]
  for (const { label, schedules } of labels) for (const schedule of schedules) checkSchedule(schedule, label)
  return {
    configuration: { pool: poolRulesOf(config), groups },
    labels,
    setup: { groups: new Map(config.groups.map((group) => [group.id, setupOf(group, parts)])) },
    rules: {
      ...DEFAULT_MASTER_RULES,
      spawnRate: { burst: config.spawn_burst, perMinute: config.spawns_per_minute },
      terminateAttempts: config.terminate_attempts,
      terminateMaxPauseMs: config.terminate_max_pause_ms,
      retirePauseMs: config.retire_pause_ms,
    },
    forecast: config.forecast === 'report',
    reconcile: {
      ...DEFAULT_RECONCILE_OPTIONS,
      periodMs: config.reconcile_period_ms,
      graceMs: config.leak_grace_ms,
      settleMs: config.leak_settle_ms,
      mode: config.leak_mode,
      maxLeakDeletes: config.max_leak_deletes,
      maxLeakDeleteShare: config.max_leak_delete_share,
    },
  }
}

function groupRulesOf(group: PoolGroupConfig): GroupRules {
  return {
    id: group.id,
    name: group.name ?? group.id,
    archs: group.archs,
    labels: [...new Set([group.id, ...group.labels])],
    maxTotal: group.max_total,
    maxPerUser: group.max_per_user,
    maxPerSandbox: group.max_per_sandbox,
    maxInUse: group.max_in_use,
    maxSpawns: group.max_spawns,
    spawnIntervalMs: group.spawn_interval_ms,
    launchTimeoutMs: group.launch_timeout_ms,
    dirtyPolicy: group.dirty_policy,
    dirtyTimeoutMs: group.dirty_timeout_ms,
    reuseOpportunityMs: group.reuse_opportunity_ms,
    resetTimeoutMs: group.reset_timeout_ms,
    checkPeriodMs: group.check_period_ms,
    checkMaxTimeMs: group.check_max_time_ms,
    maxCheckAgeMs: group.max_check_age_ms,
    maxCheckFails: group.max_check_fails,
    checkInUse: group.check_in_use,
    leaseMs: group.lease_ms,
    graceMs: group.grace_ms,
    reattachMs: group.reattach_ms,
    preemptGraceMs: group.preempt_grace_ms,
    protectInUse: group.protect_in_use,
    terminatingTimeoutMs: group.terminating_timeout_ms,
    maxHoldMs: group.max_hold_ms,
    draining: null,
    retired: false,
    maxAgeMs: group.max_age_ms,
    maxUses: group.max_uses,
    maxReadyAgeMs: group.max_ready_age_ms,
    maxTimeInSandboxMs: group.max_time_in_sandbox_ms,
  }
}

function poolRulesOf(config: PoolConfig): PoolRules {
  return {
    maxHeldPerUser: config.max_held_per_user,
    maxHeldPerSandbox: config.max_held_per_sandbox,
    maxHeldPerArch: config.max_held_per_arch,
    ageingMs: config.ageing_ms,
    holdQuota: config.hold_quota,
    requestRetentionMs: config.request_retention_ms,
  }
}

/** A group's own wishes are those of the label that has its name; its `max_total` is a rule of the group. */
function ownLabelOf(group: PoolGroupConfig): LabelOptions {
  return labelOptionsOf({ ...group, label: group.id, max_total: 0 })
}

function labelOptionsOf(label: PoolLabelConfig): LabelOptions {
  return {
    label: label.label,
    minReady: label.min_ready,
    maxReady: label.max_ready,
    minTotal: label.min_total,
    maxTotal: label.max_total,
    standby: label.standby,
    scaleFactor: label.scale_factor,
    scaleMax: label.scale_max,
    scaleDownDelayMs: label.scale_down_delay_ms,
    onDemand: label.on_demand,
    schedules: label.schedules.map(({ cron, time_zone: timeZone, for_ms: forMs, override }) => ({
      cron,
      timeZone,
      forMs,
      override: overrideOf(override),
    })),
  }
}

function overrideOf(
  override: PoolLabelConfig['schedules'][number]['override'],
): LabelOptions['schedules'][number]['override'] {
  const { min_ready, max_ready, min_total, max_total, standby, on_demand } = override
  return {
    ...(min_ready === undefined ? {} : { minReady: min_ready }),
    ...(max_ready === undefined ? {} : { maxReady: max_ready }),
    ...(min_total === undefined ? {} : { minTotal: min_total }),
    ...(max_total === undefined ? {} : { maxTotal: max_total }),
    ...(standby === undefined ? {} : { standby }),
    ...(on_demand === undefined ? {} : { onDemand: on_demand }),
  }
}

function setupOf(group: PoolGroupConfig, { clock, fleet }: SettingsParts): GroupSetup {
  const checks = group.checks.map((check) => checkOf(check, group.id))
  return {
    group: group.id,
    providers: group.providers.length === 0 ? fleet.providers.map(({ name }) => name) : group.providers,
    profile: group.profile,
    check: createCheck(checks, { clock, provider: (name) => fleet.provider(name) }),
    checkTimeoutMs: group.check_timeout_ms,
    checkOnAcquire: group.check_on_acquire,
  }
}

/** @throws InvalidInputError when the kind of check lacks what it needs */
function checkOf(check: PoolGroupConfig['checks'][number], group: string): CheckOptions {
  const { kind, port, user, command, expected, greeting, path, scheme, statuses, contains, hook } = check
  const missing = (what: string): InvalidInputError =>
    new InvalidInputError(`A check of kind ${kind} in the group ${group} needs ${what}.`)
  switch (kind) {
    case 'ssh': {
      const files = { identityFile: check.identity_file, configFile: check.config_file }
      return { kind, ...given({ port, user, command, expected, ...files }) }
    }
    case 'tcp':
      if (port === undefined) throw missing('a port')
      return { kind, port, ...given({ greeting }) }
    case 'http':
      return { kind, ...given({ port, path, scheme, statuses, contains }) }
    case 'provider':
      return { kind }
    case 'hook': {
      const [program, ...args] = hook ?? []
      if (program === undefined) throw missing('the program: hook = ["/path/to/check"]')
      return { kind, command: [program, ...args] }
    }
  }
}

type Given<T> = { [K in keyof T]?: NonNullable<T[K]> }

/** Without the members that are not there. */
function given<T extends object>(members: T): Given<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Given<T>
}
