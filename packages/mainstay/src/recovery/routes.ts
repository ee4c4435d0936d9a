import { Type } from 'typebox'

import { requestContextOf, type HttpApp } from '../http/index.ts'
import { ForbiddenError } from '../http/index.ts'
import type { RecoveryDesk } from './operate.ts'

const STATUSES = ['pending', 'running', 'waiting', 'held', 'completed', 'failed', 'cancelled'] as const

const ListQuery = Type.Object(
  {
    status: Type.Optional(Type.Union(STATUSES.map((status) => Type.Literal(status)))),
    host: Type.Optional(Type.String({ maxLength: 255 })),
    limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,4}$' })),
  },
  { additionalProperties: false },
)
const Id = Type.Object({ id: Type.String({ maxLength: 64 }) })
const Reason = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 1000 }) }, { additionalProperties: false })
const DeathAssertion = Type.Object(
  {
    host: Type.String({ minLength: 1, maxLength: 255 }),
    reason: Type.String({ minLength: 1, maxLength: 1000 }),
    assertedBy: Type.String({ minLength: 1, maxLength: 255 }),
  },
  { additionalProperties: false },
)

const DEFAULT_LIMIT = 100

/** The native routes of recoveries. Everything that changes something needs an admin. */
export function recoveryRoutes(app: HttpApp, desk: RecoveryDesk): void {
  app.get('/api/v1/recoveries', { schema: { querystring: ListQuery } }, async ({ query }) => {
    const { limit = String(DEFAULT_LIMIT), status, host } = query
    const filter = {
      limit: Number(limit),
      ...(status === undefined ? {} : { status }),
      ...(host === undefined ? {} : { host }),
    }
    return { recoveries: await desk.list(filter) }
  })

  app.get('/api/v1/recoveries/:id', { schema: { params: Id } }, async ({ params }) => await desk.show(params.id))

  app.post('/api/v1/recoveries/:id/cancel', { schema: { params: Id, body: Reason } }, async (request) => {
    return await desk.cancel(request.params.id, { reason: request.body.reason, by: adminOf(request) })
  })

  app.post('/api/v1/recoveries/:id/approve', { schema: { params: Id, body: Reason } }, async (request) => {
    adminOf(request)
    return await desk.approve(request.params.id)
  })

  app.post('/api/v1/recoveries/:id/retry', { schema: { params: Id, body: Reason } }, async (request) => {
    return await desk.retry(request.params.id, { reason: request.body.reason, by: adminOf(request) })
  })

  app.post('/api/v1/fences', { schema: { body: DeathAssertion } }, async (request) => {
    const { host, reason, assertedBy } = request.body
    const user = adminOf(request)
    const by = assertedBy === user ? user : `${assertedBy} (as ${user})`
    return { host, assertedBy: by, recoveries: await desk.assertDead({ host, reason, by }) }
  })
}

/** Who asks, if they may. @throws ForbiddenError */
function adminOf(request: Parameters<typeof requestContextOf>[0]): string {
  const { isAdmin, userName, userId } = requestContextOf(request)
  if (!isAdmin) throw new ForbiddenError('mainstay:recoveries:update')
  return userName ?? userId ?? 'an admin'
}
