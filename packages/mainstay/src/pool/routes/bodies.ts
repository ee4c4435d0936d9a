import { Type, type TSchema } from 'typebox'

import { MAX_GANG, MAX_PRIORITY } from '../satisfiable.ts'
import { VM_STATES } from '../state.ts'

const closed = { additionalProperties: false } as const
const text = (maxLength = 255, description?: string) =>
  Type.String({ minLength: 1, maxLength, ...(description === undefined ? {} : { description }) })
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema)
const milliseconds = (description: string) => Type.Integer({ minimum: 0, maximum: 86_400_000 * 366, description })
const names = Type.Array(text(), { minItems: 1, maxItems: 100 })

export const Name = Type.Object({ name: text() })
export const Id = Type.Object({ id: text(128) })

export const Reason = text(1000, 'Kept with the change, for whoever asks later.')
export const ReasonBody = Type.Object({ reason: Reason }, closed)

const limit = Type.String({ pattern: '^[0-9]{1,5}$', description: 'The most that is answered.' })
const cursor = text(512, 'Where the last page ended.')

export const VmQuery = Type.Object(
  {
    group: optional(text()),
    state: optional(Type.Union(VM_STATES.map((state) => Type.Literal(state)))),
    owner: optional(text()),
    limit: optional(limit),
    cursor: optional(cursor),
  },
  closed,
)
export const PageQuery = Type.Object({ limit: optional(limit), cursor: optional(cursor) }, closed)

export const AcquireBody = Type.Object(
  {
    requestId: optional(text(128, 'Asking again with the same id gives the same answer, and never a second machine.')),
    groups: optional(names),
    labels: optional(names),
    owner: optional(text(255, 'Admins only; others ask for themselves.')),
    sandbox: optional(text()),
    worker: text(255, 'Who uses the machine, for people.'),
    taskId: optional(text()),
    buildId: optional(text()),
    chroot: optional(text()),
    arch: optional(text(64)),
    priority: optional(Type.Integer({ minimum: 0, maximum: MAX_PRIORITY })),
    weight: optional(Type.Number({ exclusiveMinimum: 0 })),
    count: optional(Type.Integer({ minimum: 1, maximum: MAX_GANG })),
    preemptible: optional(Type.Boolean()),
    reattach: optional(Type.Boolean()),
    leaseMs: optional(Type.Integer({ minimum: 1000, maximum: 86_400_000 })),
    waitMs: optional(milliseconds('How long to wait in the queue; without it there is no waiting.')),
    pollMs: optional(milliseconds('The longest that this call takes; the answer is then 202 with the request.')),
  },
  closed,
)
export const WaitQuery = Type.Object(
  {
    pollMs: optional(Type.String({ pattern: '^[0-9]{1,8}$' })),
    check: optional(
      Type.Union([Type.Literal('true'), Type.Literal('false')], {
        description: 'False for whoever gives the machines back and need not know whether they are any good.',
      }),
    ),
  },
  closed,
)

export const TokenBody = Type.Object({ token: text(128) }, closed)
export const ReleaseBody = Type.Object({ token: text(128), failed: optional(Type.Boolean()) }, closed)
export const GiveUpBody = Type.Object({ token: text(128), reason: Reason }, closed)
export const ReattachBody = Type.Object({ taskId: text(), worker: text(), owner: optional(text()) }, closed)

export const ReorderBody = Type.Object(
  {
    priority: optional(Type.Integer({ minimum: 0, maximum: MAX_PRIORITY })),
    ahead: optional(text(128)),
    reason: Reason,
  },
  closed,
)
export const HoldBody = Type.Object(
  { forMs: optional(milliseconds('How long; a day unless given.')), reason: Reason },
  closed,
)
export const FailureHoldBody = Type.Object(
  {
    taskId: optional(text()),
    label: optional(text()),
    group: optional(text()),
    holdMs: optional(milliseconds('How long the machine is kept; a day unless given.')),
    expiresInMs: optional(milliseconds('When the rule ends although nothing failed; a week unless given.')),
    reason: Reason,
  },
  closed,
)
export const DrainBody = Type.Object(
  { mode: optional(Type.Union([Type.Literal('terminate'), Type.Literal('keep')])), reason: Reason },
  closed,
)
export const DeleteBody = Type.Object({ force: optional(Type.Boolean()), reason: Reason }, closed)
export const AdoptBody = Type.Object(
  {
    name: text(),
    group: text(),
    ip: text(64),
    provider: optional(text()),
    providerId: optional(text()),
    reason: Reason,
  },
  closed,
)
export const ReconcileBody = Type.Object(
  { dryRun: optional(Type.Boolean()), confirm: optional(Type.Array(text(), { maxItems: 10_000 })), reason: Reason },
  closed,
)
