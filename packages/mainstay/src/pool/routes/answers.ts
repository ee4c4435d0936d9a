import { Type, type TProperties, type TSchema } from 'typebox'

import type { ProviderCandidate, ProviderRefusal } from '../choose-provider.ts'
import type { Explanation } from '../explain.ts'
import type { IdleForecast } from '../forecast/idle-forecast.ts'
import type { PoolConfiguration } from '../options.ts'
import type { ReconcileReport } from '../reconcile/index.ts'
import type { Refusal } from '../request.ts'
import type { FailureHold, GroupCounts } from '../store.ts'
import type { LabelReport } from '../sizing/fill-labels.ts'
import type { Unserved } from '../sizing/demand.ts'
import { VM_STATES } from '../state.ts'
import type { HistoryEntry } from '../vm-history.ts'
import type { PresentedLease, PresentedRequest, PresentedVm } from './present.ts'

/** What the routes of the pool answer, for the description of the API; a test compares it with a pool that is served. */

const closed = <Properties extends TProperties>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false })
const Text = Type.String()
const Count = Type.Integer({ minimum: 0 })
const Time = Type.String({ format: 'date-time' })
const OrNull = (type: string, more: object = {}): TSchema => Type.Unsafe({ type: [type, 'null'], ...more })
const NullableText = OrNull('string')
const NullableTime = OrNull('string', { format: 'date-time' })
const NullableNumber = OrNull('number')
const Drain = Type.Unsafe({ enum: ['terminate', 'keep', null] })
const Milliseconds = Type.Number({ description: 'Milliseconds since the Unix epoch.' })

const Vm = closed({
  name: Text,
  group: Text,
  state: Type.Enum([...VM_STATES]),
  stateSince: Time,
  createdAt: Time,
  ip: NullableText,
  provider: NullableText,
  providerId: NullableText,
  owner: NullableText,
  sandbox: NullableText,
  worker: NullableText,
  inUseSince: NullableTime,
  leaseExpiresAt: NullableTime,
  requestId: NullableText,
  taskId: NullableText,
  buildId: NullableText,
  chroot: NullableText,
  arch: NullableText,
  priority: NullableNumber,
  preemptible: Type.Boolean(),
  preemptAt: NullableTime,
  checkStartedAt: NullableTime,
  checkPassedAt: NullableTime,
  checkFails: Count,
  uses: Count,
  lastRelease: NullableTime,
  drain: Drain,
  holdUntil: NullableTime,
  holdReason: NullableText,
  holdBy: NullableText,
  terminatingSince: NullableTime,
  terminateReason: NullableText,
  terminateAttempts: Count,
})

export const VmAnswer = Type.Unsafe<PresentedVm>(Vm)

/** A machine as it is after the change; its name alone when it is gone by then. */
export const ChangedVmAnswer = Type.Unsafe<PresentedVm | { readonly name: string }>(
  Type.Union([Vm, closed({ name: Text })]),
)

export const NameAnswer = closed({ name: Text })

export const VmsAnswer = Type.Unsafe<{ vms: PresentedVm[]; cursor: string | null }>(
  closed({ vms: Type.Array(Vm), cursor: NullableText }),
)

const Lease = closed({
  vm: Vm,
  name: Text,
  ip: NullableText,
  token: Type.String({ description: 'The secret that heartbeat, release and give-up have to show.' }),
  expiresAt: Time,
  expiresInMs: Count,
})

export const LeaseAnswer = Type.Unsafe<PresentedLease>(Lease)

export const LeasesAnswer = Type.Unsafe<{ requestId: string; leases: PresentedLease[] }>(
  closed({ requestId: Text, leases: Type.Array(Lease, { minItems: 1 }) }),
)

const Request = closed({
  id: Text,
  status: Type.Enum(['waiting', 'granted', 'cancelled', 'expired']),
  groups: Type.Array(Text),
  owner: Text,
  sandbox: Text,
  worker: Text,
  taskId: NullableText,
  buildId: NullableText,
  chroot: NullableText,
  arch: NullableText,
  priority: Count,
  weight: Type.Number(),
  count: Count,
  preemptible: Type.Boolean(),
  reattach: Type.Boolean(),
  leaseMs: NullableNumber,
  submittedAt: Time,
  rankAt: Time,
  waitUntil: Time,
  endedAt: NullableTime,
  reason: NullableText,
  preemptedAt: NullableTime,
})

export const RequestAnswer = Type.Unsafe<PresentedRequest>(Request)

export const RequestsAnswer = Type.Unsafe<{ requests: PresentedRequest[]; cursor: string | null }>(
  closed({ requests: Type.Array(Request), cursor: NullableText }),
)

const RefusalShape = closed({
  kind: Type.Enum(['no_vm', 'user_limit', 'sandbox_limit', 'arch_limit', 'group_limit', 'queue', 'draining']),
  group: NullableText,
  limit: NullableNumber,
  count: NullableNumber,
})

export const WaitingAnswer = Type.Unsafe<{
  requestId: string
  request: PresentedRequest
  refusals: readonly Refusal[]
}>(closed({ requestId: Text, request: Request, refusals: Type.Array(RefusalShape) }))

export const HeartbeatAnswer = Type.Unsafe<{ expiresInMs: number; preemptInMs: number | null }>(
  closed({ expiresInMs: Type.Number(), preemptInMs: NullableNumber }),
)

export const EndedRequestAnswer = closed({ id: Text, status: Text })

export const IdAnswer = closed({ id: Text })

const Counts = closed({
  group: Text,
  states: closed(Object.fromEntries(VM_STATES.map((state) => [state, Count]))),
  free: Count,
  clean: Count,
  waiting: Count,
  lastSpawnStart: NullableNumber,
})

const Label = closed({
  label: Text,
  target: closed({ idle: Count, standby: Count, because: Text }),
  stock: closed({ clean: Count, arriving: Count, inUse: Count, standby: Count, active: Count, waiting: Count }),
  schedule: NullableNumber,
  unmet: Type.Union([closed({ count: Count, because: Text }), Type.Null()]),
})

const Rules = closed({
  pool: Type.Object({ maxHeldPerUser: Count, maxHeldPerSandbox: Count, holdQuota: Count }),
  groups: Type.Array(Type.Object({ id: Text, name: Text, labels: Type.Array(Text), maxTotal: Count, draining: Drain })),
})

export const OverviewAnswer = Type.Unsafe<{
  leader: string | null
  groups: readonly GroupCounts[]
  labels: readonly LabelReport[]
  rules: PoolConfiguration
}>(closed({ leader: NullableText, groups: Type.Array(Counts), labels: Type.Array(Label), rules: Rules }))

const UnservedShape = closed({
  request: Text,
  kind: Type.Enum(['limit', 'full', 'later']),
  missing: Count,
  because: Text,
})

/** `labels` is everything that was counted for sizing; null when nothing could be. */
export const StatsAnswer = Type.Unsafe(
  closed({ leader: NullableText, groups: Type.Array(Counts), labels: OrNull('object') }),
)

const Decision = Type.Object({
  do: Type.String({ description: 'What kind of act; the other members say to what.' }),
  because: Text,
  text: Type.String({ description: 'All of it in one line.' }),
})

export const PlanAnswer = Type.Unsafe<{
  decisions: readonly { readonly do: string; readonly because: string; readonly text: string }[]
  labels: readonly LabelReport[]
  unserved: readonly Unserved[]
  forecast: Readonly<Record<string, IdleForecast>> | null
}>(
  closed({
    decisions: Type.Array(Decision),
    labels: Type.Array(Label),
    unserved: Type.Array(UnservedShape),
    forecast: Type.Union([
      Type.Record(Text, closed({ idle: Count, expected: NullableNumber, because: Text })),
      Type.Null(),
    ]),
  }),
)

export const ExplanationAnswer = Type.Unsafe<Explanation>(
  closed({
    subject: Text,
    doing: Type.String({ description: 'What it is doing, since when and for whom.' }),
    verdict: Type.String({ description: 'Why it is not handed out, or waits.' }),
    findings: Type.Array(closed({ rule: Text, blocks: Type.Boolean(), text: Text })),
    next: Type.Array(Text, { description: 'What the next cycle does, and what follows by itself, with its time.' }),
  }),
)

export const HistoryAnswer = Type.Unsafe<{ changes: readonly HistoryEntry[] }>(
  closed({
    changes: Type.Array(
      closed({
        at: Time,
        kind: Text,
        from: NullableText,
        to: NullableText,
        owner: NullableText,
        worker: NullableText,
        taskId: NullableText,
        reason: NullableText,
      }),
    ),
  }),
)

export const ProvidersAnswer = Type.Unsafe<{
  providers: readonly (ProviderCandidate & { readonly refusal: ProviderRefusal | null })[]
}>(
  closed({
    providers: Type.Array(
      closed({
        name: Text,
        priority: Type.Number(),
        weight: Type.Number(),
        draining: Type.Boolean(),
        health: closed({
          successRate: Type.Number({ minimum: 0, maximum: 1 }),
          startMs: NullableNumber,
          updatedAt: Milliseconds,
          failuresInRow: Count,
          opens: Count,
          openedAt: Milliseconds,
          openUntil: Milliseconds,
          probingSince: NullableNumber,
          disabledBecause: NullableText,
          intervalMs: Type.Number(),
          nextAttemptAt: Milliseconds,
        }),
        refusal: Type.Union([closed({ provider: Text, because: Text, until: NullableNumber }), Type.Null()]),
      }),
    ),
  }),
)

export const FailureHoldsAnswer = Type.Unsafe<{ holds: readonly FailureHold[] }>(
  closed({
    holds: Type.Array(
      closed({
        id: Text,
        match: Type.Union([closed({ taskId: Text }), closed({ label: Text }), closed({ group: Text })]),
        holdMs: Count,
        reason: Text,
        by: Text,
        expiresAt: Milliseconds,
      }),
    ),
  }),
)

export const GroupDrainAnswer = Type.Unsafe<{ group: string; drain: 'terminate' | 'keep' | null }>(
  closed({ group: Text, drain: Drain }),
)

export const ProviderDrainAnswer = Type.Unsafe<{ provider: string; drain: 'terminate' | 'keep' | null }>(
  closed({ provider: Text, drain: Drain }),
)

export const ProviderAnswer = closed({ provider: Text })

const ReconcileDecision = Type.Object({ decide: Text })

export const ReconcileAnswer = Type.Unsafe<ReconcileReport>(
  closed({
    startedAt: Milliseconds,
    endedAt: Milliseconds,
    decisions: Type.Array(ReconcileDecision),
    carriedOut: Type.Array(
      closed({
        decision: ReconcileDecision,
        outcome: Type.Enum(['done', 'not_needed', 'failed']),
        because: NullableText,
      }),
    ),
  }),
)

export const RulesAnswer = Type.Unsafe<{ rules: PoolConfiguration }>(closed({ rules: Rules }))

/** Nothing is answered. */
export const Nothing = Type.Unsafe<undefined>(Type.Null())
