import { Type } from 'typebox'

import { RECOVERY_STATUSES } from '../client/index.ts'
import type { Authorize, HttpApp } from '../http/index.ts'
import { FenceAnswer, RecoveriesAnswer, RecoveryAnswer } from './answers.ts'
import type { RecoveryDesk } from './operate.ts'
import { OPERATE_RULE, READ_RULE, requireRule } from './require-rule.ts'

const ListQuery = Type.Object(
  {
    status: Type.Optional(Type.Enum([...RECOVERY_STATUSES])),
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

/** What the OpenAPI document says of each route. */
const told = {
  list: {
    description: 'Recoveries, the newest first, without their steps. Policy rule: mainstay:recoveries:read',
    response: { 200: RecoveriesAnswer },
  },
  show: {
    description: 'One recovery with its timeline, decisions and steps. Policy rule: mainstay:recoveries:read',
    response: { 200: RecoveryAnswer },
  },
  cancel: {
    description: 'Stops a recovery where it is; nothing is undone. Policy rule: mainstay:recoveries:operate',
    response: { 200: RecoveryAnswer },
  },
  approve: {
    description: 'Lets a recovery go on that waits for a person. Policy rule: mainstay:recoveries:operate',
    response: { 200: RecoveryAnswer },
  },
  retry: {
    description: 'Has a held recovery try once more to prove the host dead. Policy rule: mainstay:recoveries:operate',
    response: { 200: RecoveryAnswer },
  },
  fence: {
    description:
      'Records that a named person has seen that a host is dead; recoveries that are held for it go on. ' +
      'Policy rule: mainstay:recoveries:operate',
    response: { 200: FenceAnswer },
  },
} as const

/** The native routes of recoveries. Who may do what is said by two policy rules. */
export function recoveryRoutes(app: HttpApp, { desk, authorize }: { desk: RecoveryDesk; authorize: Authorize }): void {
  app.get('/api/v1/recoveries', { schema: { ...told.list, querystring: ListQuery } }, async (request) => {
    await requireRule(authorize, READ_RULE, request)
    const { query } = request
    const { limit = String(DEFAULT_LIMIT), status, host } = query
    const filter = {
      limit: Number(limit),
      ...(status === undefined ? {} : { status }),
      ...(host === undefined ? {} : { host }),
    }
    return { recoveries: await desk.list(filter) }
  })

  app.get('/api/v1/recoveries/:id', { schema: { ...told.show, params: Id } }, async (request) => {
    await requireRule(authorize, READ_RULE, request)
    return await desk.show(request.params.id)
  })

  app.post(
    '/api/v1/recoveries/:id/cancel',
    { schema: { ...told.cancel, params: Id, body: Reason } },
    async (request) => {
      return await desk.cancel(request.params.id, {
        reason: request.body.reason,
        by: await requireRule(authorize, OPERATE_RULE, request),
      })
    },
  )

  app.post(
    '/api/v1/recoveries/:id/approve',
    { schema: { ...told.approve, params: Id, body: Reason } },
    async (request) => {
      await requireRule(authorize, OPERATE_RULE, request)
      return await desk.approve(request.params.id)
    },
  )

  app.post('/api/v1/recoveries/:id/retry', { schema: { ...told.retry, params: Id, body: Reason } }, async (request) => {
    return await desk.retry(request.params.id, {
      reason: request.body.reason,
      by: await requireRule(authorize, OPERATE_RULE, request),
    })
  })

  app.post('/api/v1/fences', { schema: { ...told.fence, body: DeathAssertion } }, async (request) => {
    const { host, reason, assertedBy } = request.body
    const user = await requireRule(authorize, OPERATE_RULE, request)
    const by = assertedBy === user ? user : `${assertedBy} (as ${user})`
    return { host, assertedBy: by, recoveries: await desk.assertDead({ host, reason, by }) }
  })
}
