import { Type, type Static } from 'typebox'

import { DEFAULT_RECONCILE_OPTIONS as RECONCILE } from '../../pool/reconcile/options.ts'
import { DEFAULT_MASTER_RULES as MASTER } from '../../pool/decide/snapshot.ts'
import { DEFAULT_LEADERSHIP as LEAD } from '../../pool/leadership.ts'
import { DEFAULT_MASTER_OPTIONS as CYCLE } from '../../pool/master.ts'
import { DEFAULT_POOL_RULES as POOL } from '../../pool/options.ts'
import { amount, closed, count, flag, text } from './option-kinds.ts'
import { PoolGroup, PoolLabel } from './pool-group-schema.ts'
import { PoolProvider } from './pool-provider-schema.ts'

/** The options of the pool. Times in milliseconds. Source: vm-pool.md A7 and part C. */
export const PoolSection = Type.Object(
  {
    compat: Type.Union([Type.Literal('none'), Type.Literal('vmm')], {
      description: 'vmm works on Redis as the VM manager of Copr did, with the options of [vmm] instead of these.',
      default: 'none',
    }),
    installation: text(
      'Names this installation at the providers; two that share one must differ. Made up unless given.',
      '',
    ),
    redis_url: text('redis://… for many machines; empty keeps the pool in the database of this one.', ''),
    needed_for_ready: flag(
      '/health/ready answers 503 while the memory of the pool takes no changes; otherwise it only says so.',
      true,
    ),
    redis_prefix: Type.String({
      description: 'What the keys in Redis begin with.',
      default: 'mainstay:vmpool:',
      minLength: 1,
    }),
    groups: Type.Array(PoolGroup, {
      description: 'Kinds of machines, the preferred first. Without any, no pool runs.',
      default: [],
    }),
    labels: Type.Array(PoolLabel, {
      description: 'How many machines are wanted of several groups together.',
      default: [],
    }),
    providers: Type.Array(PoolProvider, { description: 'Where machines come from.', default: [] }),
    max_held_per_user: count(
      'The most machines that one owner holds over all groups; 0 for no limit.',
      POOL.maxHeldPerUser,
    ),
    max_held_per_sandbox: count(
      'The most machines that one sandbox of an owner holds; 0 for no limit.',
      POOL.maxHeldPerSandbox,
    ),
    max_held_per_arch: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), {
      description: 'The most machines held for work of an architecture.',
      default: {},
    }),
    ageing_ms: count('A waiting request gains a point of priority each such time.', POOL.ageingMs, 1),
    hold_quota: count('The most machines on hold for one owner.', POOL.holdQuota),
    request_retention_ms: count('How long an ended request can be asked about.', POOL.requestRetentionMs),
    spawn_burst: count('Machines of a group that may be asked for at once; 0 for no limit.', MASTER.spawnRate.burst),
    spawns_per_minute: amount('What comes back of that each minute.', MASTER.spawnRate.perMinute),
    terminate_attempts: count(
      'How often the end of a machine is asked before a person has to look.',
      MASTER.terminateAttempts,
      1,
    ),
    terminate_max_pause_ms: count('The longest pause between two of these.', MASTER.terminateMaxPauseMs, 1),
    retire_pause_ms: count('How often a worn machine that the minimum needs is looked at.', MASTER.retirePauseMs, 1),
    cycle_ms: count(
      'The longest time between two cycles; changes and deadlines bring the next earlier.',
      CYCLE.cycleMs,
      10,
    ),
    step_budget_ms: count('How long one step of a cycle may take.', CYCLE.stepBudgetMs, 100),
    master_lease_ms: count('A master that is silent for this long is replaced.', LEAD.leaseMs, 100),
    master_renew_ms: count('How often it shows that it lives, and how often others look.', LEAD.renewMs, 10),
    spawns_at_once: count('Machines that one process makes at the same time, over all groups.', 64, 1),
    checks_at_once: count('Checks at the same time.', 32, 1),
    terminations_at_once: count('Machines that are destroyed at the same time.', 20, 1),
    terminate_timeout_ms: count('How long destroying one may take.', 300_000, 1),
    reconcile_period_ms: count(
      'How often the records are compared with what the providers show.',
      RECONCILE.periodMs,
      100,
    ),
    leak_grace_ms: count('How old an unknown machine of ours must be to be a leak.', RECONCILE.graceMs),
    leak_settle_ms: count('How long a record is left before it is judged: lists run behind.', RECONCILE.settleMs),
    leak_mode: Type.Union([Type.Literal('destroy'), Type.Literal('report')], {
      description: 'Whether leaks are destroyed or only reported.',
      default: RECONCILE.mode,
    }),
    max_leak_deletes: count(
      'The most that one pass does away with at one provider without a word of a person …',
      RECONCILE.maxLeakDeletes,
    ),
    max_leak_delete_share: Type.Number({
      description: '… or this share of what is there, whichever is more.',
      default: RECONCILE.maxLeakDeleteShare,
      minimum: 0,
      maximum: 1,
    }),
    forecast: Type.Union([Type.Literal('off'), Type.Literal('report')], {
      description: 'report learns what is asked for at which time of the week, and plan shows what it would keep idle.',
      default: 'off',
    }),
    acquire_poll_ms: count(
      'The longest that one request over HTTP waits; the client asks again by itself.',
      25_000,
      100,
    ),
  },
  { ...closed, default: {} },
)

export type PoolConfig = Static<typeof PoolSection>
