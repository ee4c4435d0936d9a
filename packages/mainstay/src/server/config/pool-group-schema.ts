import { Type, type Static } from 'typebox'

import { DEFAULT_GROUP_RULES as GROUP, DEFAULT_LABEL_OPTIONS as LABEL } from '../../pool/options.ts'
import { amount, closed, command, count, flag, name, text, words } from './option-kinds.ts'

/** What schedules may say otherwise. */
const Override = Type.Object(
  {
    min_ready: Type.Optional(Type.Integer({ minimum: 0 })),
    max_ready: Type.Optional(Type.Integer({ minimum: 0 })),
    min_total: Type.Optional(Type.Integer({ minimum: 0 })),
    max_total: Type.Optional(Type.Integer({ minimum: 0 })),
    standby: Type.Optional(Type.Integer({ minimum: 0 })),
    on_demand: Type.Optional(Type.Boolean()),
  },
  { ...closed, description: 'The numbers that hold instead.' },
)

const Schedule = Type.Object(
  {
    cron: Type.String({ description: 'When it begins: five fields, for example "0 8 * * 1-5".' }),
    time_zone: text('Whose clock that is, for example Europe/Prague.', 'UTC'),
    for_ms: Type.Integer({ description: 'How long it holds.', minimum: 1 }),
    override: Override,
  },
  closed,
)

/** How many machines are wanted (C8). `max_total` is the group's own in a group. */
const sizes = {
  min_ready: count('Clean machines kept idle, beyond those in use.', LABEL.minReady),
  max_ready: count('The most clean idle machines; more go at once. 0: no such limit.', LABEL.maxReady),
  min_total: count('The least machines in all.', LABEL.minTotal),
  standby: count('Stopped machines kept, which start faster than new ones.', LABEL.standby),
  scale_factor: amount('Further idle machines for each one in use.', LABEL.scaleFactor),
  scale_max: count('The most that scale_factor adds; 0 for no limit.', LABEL.scaleMax),
  scale_down_delay_ms: count('How long there are too many before some go.', LABEL.scaleDownDelayMs),
  on_demand: flag('Keeps none idle until somebody wants one.', LABEL.onDemand),
  schedules: Type.Array(Schedule, {
    description: 'Other numbers at certain times; the first that holds counts.',
    default: [],
  }),
}

const Check = Type.Object(
  {
    kind: Type.Union(
      [Type.Literal('ssh'), Type.Literal('tcp'), Type.Literal('http'), Type.Literal('provider'), Type.Literal('hook')],
      {
        description:
          'ssh logs in and runs a command, tcp connects, http asks, provider asks who made it, hook runs a program.',
      },
    ),
    port: Type.Optional(Type.Integer({ description: 'For ssh, tcp and http.', minimum: 1, maximum: 65_535 })),
    user: Type.Optional(Type.String({ description: 'Who logs in (ssh).' })),
    identity_file: Type.Optional(Type.String({ description: 'With which key (ssh).' })),
    config_file: Type.Optional(Type.String({ description: 'The configuration of the client (ssh).' })),
    command: Type.Optional(Type.String({ description: 'What is run there (ssh).' })),
    expected: Type.Optional(Type.String({ description: 'What that prints, exactly (ssh).' })),
    greeting: Type.Optional(Type.String({ description: 'How the machine greets, for example SSH-2.0 (tcp).' })),
    path: Type.Optional(Type.String({ description: 'What is asked for (http).' })),
    scheme: Type.Optional(Type.Union([Type.Literal('http'), Type.Literal('https')], { description: 'http or https.' })),
    statuses: Type.Optional(Type.Array(Type.Integer(), { description: 'Answers that are well (http).' })),
    contains: Type.Optional(Type.String({ description: 'What the answer holds (http).' })),
    hook: Type.Optional(command('The program and its arguments; status 0 is well (hook).')),
  },
  closed,
)

/** One kind of machines: how they are made, checked, handed out and ended. Times in milliseconds. */
export const PoolGroup = Type.Object(
  {
    id: name('The name of the group; also a label of it.'),
    name: Type.Optional(Type.String({ description: 'For people; the id unless given.' })),
    archs: words('Architectures that its machines serve.', GROUP.archs),
    labels: words('What requests may ask for instead of naming groups.'),
    providers: words('Names of the providers that make its machines; all of them unless given.'),
    profile: Type.Record(Type.String(), Type.String(), {
      description: 'What the providers are told of its machines: image, flavor, template.',
      default: {},
    }),
    ...sizes,
    max_total: count('The most machines that are not about to end; 0 for no limit.', GROUP.maxTotal),
    max_per_user: count('The most machines bound to one owner; 0 for no limit.', GROUP.maxPerUser),
    max_per_sandbox: count('The most machines bound to one sandbox of an owner; 0 for no limit.', GROUP.maxPerSandbox),
    max_in_use: count('The most machines in use; 0 for no limit.', GROUP.maxInUse),
    max_spawns: count('Machines that are made at the same time; 0 for no limit.', GROUP.maxSpawns),
    spawn_interval_ms: count('The least time between two starts.', GROUP.spawnIntervalMs),
    launch_timeout_ms: count('How long making one may take until it is given up.', GROUP.launchTimeoutMs, 1),
    dirty_policy: Type.Union([Type.Literal('discard'), Type.Literal('sandbox'), Type.Literal('reset')], {
      description:
        'After a use: discard destroys, sandbox keeps it for the same owner and sandbox, reset makes it clean.',
      default: GROUP.dirtyPolicy,
    }),
    dirty_timeout_ms: count('How long an idle dirty machine waits for its owner.', GROUP.dirtyTimeoutMs, 1),
    reuse_opportunity_ms: count(
      'How long it does although others wait and the group is full.',
      GROUP.reuseOpportunityMs,
    ),
    reset_timeout_ms: count('How long making one clean may take.', GROUP.resetTimeoutMs, 1),
    checks: Type.Array(Check, {
      description:
        'How its machines are checked; all of them must pass, the first ones first. None: every machine passes.',
      default: [],
    }),
    check_period_ms: count('How often a machine is checked.', GROUP.checkPeriodMs, 1),
    check_timeout_ms: count('How long one check may take until it counts as failed.', 10_000, 1),
    check_max_time_ms: count('After what time a check is lost that nobody ended.', GROUP.checkMaxTimeMs, 1),
    max_check_age_ms: count('How old the last passed check may be when a machine is handed out.', GROUP.maxCheckAgeMs),
    max_check_fails: count('A machine ends when it failed more checks in a row than this.', GROUP.maxCheckFails),
    check_in_use: flag('Checks machines in use as well.', GROUP.checkInUse),
    check_on_acquire: flag('Checks a machine once more when it is handed out.', false),
    lease_ms: count('How long a lease lasts without a heartbeat.', GROUP.leaseMs, 1),
    grace_ms: count('How long after that the machine is taken back.', GROUP.graceMs),
    reattach_ms: count('How long a machine waits for its task, where the request said reattach.', GROUP.reattachMs),
    preempt_grace_ms: count('How long a holder has to stop for a more urgent request.', GROUP.preemptGraceMs),
    protect_in_use: flag('Ends no machine in use unless this is asked for by name.', GROUP.protectInUse),
    terminating_timeout_ms: count(
      'When the end of a machine is asked for again; the pause doubles.',
      GROUP.terminatingTimeoutMs,
      1,
    ),
    max_hold_ms: count('The longest hold.', GROUP.maxHoldMs, 1),
    max_age_ms: count('A machine that is older is replaced; 0 for never.', GROUP.maxAgeMs),
    max_uses: count('A machine with so many uses is handed out no more, and is replaced; 0 for never.', GROUP.maxUses),
    max_ready_age_ms: count(
      'An idle machine beyond the minimum goes when it was ready for so long; 0 for never.',
      GROUP.maxReadyAgeMs,
    ),
    max_time_in_sandbox_ms: count('A machine that was bound for so long goes; 0 for never.', GROUP.maxTimeInSandboxMs),
  },
  closed,
)

/** How many machines are wanted of several groups together. */
export const PoolLabel = Type.Object(
  {
    label: name('What groups carry in their labels.'),
    ...sizes,
    max_total: count('The most machines over all its groups; 0 for no limit.', 0),
  },
  closed,
)

export type PoolGroupConfig = Static<typeof PoolGroup>
export type PoolLabelConfig = Static<typeof PoolLabel>
