import { Type } from 'typebox'

import { RECOVERY_STATUSES, type Recovery } from '../client/index.ts'

/** What the native routes of recoveries answer. */

const closed = { additionalProperties: false }
const Time = Type.String({ format: 'date-time' })
const NullableTime = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' })
const NullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] })

const Phase = Type.Object(
  {
    phase: Type.String(),
    at: Time,
    durationMs: Type.Unsafe<number | null>({ type: ['number', 'null'], minimum: 0 }),
    text: Type.String(),
  },
  closed,
)

const Step = Type.Object(
  {
    key: Type.String(),
    kind: Type.String(),
    state: Type.Enum(['intended', 'done', 'failed']),
    attempt: Type.Integer({ minimum: 1 }),
    at: Time,
    finishedAt: NullableTime,
    input: Type.Unknown(),
    output: Type.Unknown(),
    error: NullableText,
  },
  closed,
)

const Decision = Type.Object(
  { at: Time, rule: Type.String(), inputs: Type.Unknown(), verdict: Type.String(), reasons: Type.Array(Type.String()) },
  closed,
)

const WaitsFor = Type.Object(
  {
    id: Type.String(),
    type: Type.Enum(['host', 'instance', 'process']),
    subject: Type.String(),
    status: Type.Enum([...RECOVERY_STATUSES]),
  },
  closed,
)

export const RecoveryAnswer = Type.Unsafe<Recovery>(
  Type.Object(
    {
      id: Type.String(),
      notificationUuid: Type.String(),
      type: Type.Enum(['host', 'instance', 'process']),
      subject: Type.String(),
      status: Type.Enum([...RECOVERY_STATUSES]),
      heldReason: NullableText,
      waitsFor: Type.Union([WaitsFor, Type.Null()]),
      createdAt: Time,
      finishedAt: NullableTime,
      outcome: NullableText,
      timeline: Type.Array(Phase),
      steps: Type.Array(Step),
      decisions: Type.Array(Decision),
    },
    closed,
  ),
)

export const RecoveriesAnswer = Type.Object({ recoveries: Type.Array(RecoveryAnswer) }, closed)

export const FenceAnswer = Type.Object(
  { host: Type.String(), assertedBy: Type.String(), recoveries: Type.Array(RecoveryAnswer) },
  closed,
)
