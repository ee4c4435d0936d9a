import type { FastifyRequest } from 'fastify'

import { goneSignal } from '../../http/gone-signal.ts'
import { ForbiddenError, requestContextOf, type HttpApp } from '../../http/index.ts'
import { scopeOf } from '../access/scope.ts'
import { sendIfGone } from '../history/send-gone.ts'
import type { WebhookDesk } from './desk.ts'
import { DeadLetterId, DeadLetterQuery, NewWebhookSchema, WebhookChangeSchema, WebhookId } from './schema.ts'

const PATH = '/v1/events/webhooks'
const DEFAULT_LETTERS = 100

/** Webhooks, for admins. Source: event-stream.md R39. */
export function webhookRoutes(app: HttpApp, desk: WebhookDesk): void {
  // Before the body is looked at: who may not do this is not told what is wrong with it.
  const admin = { preValidation: async (request: FastifyRequest) => assertAdmin(request) }
  const aboutOne = { ...admin, schema: { params: WebhookId } }
  const aboutLetter = { ...admin, schema: { params: DeadLetterId } }

  app.get(PATH, admin, async () => ({ webhooks: await desk.list() }))

  app.post(PATH, { ...admin, schema: { body: NewWebhookSchema } }, async (request, reply) => {
    try {
      const made = await desk.create(request.body, scopeOf(requestContextOf(request)))
      return await reply
        .code(201)
        .header('Location', `${PATH}/${made['id'] as string}`)
        .send(made)
    } catch (error) {
      return await sendIfGone(error, request, reply)
    }
  })

  app.get(`${PATH}/:id`, aboutOne, async ({ params }) => await desk.show(params.id))

  for (const method of ['PATCH', 'PUT'] as const) {
    app.route({
      method,
      url: `${PATH}/:id`,
      ...admin,
      schema: { params: WebhookId, body: WebhookChangeSchema },
      handler: async ({ params, body }) => await desk.change(params.id, body),
    })
  }

  app.delete(`${PATH}/:id`, aboutOne, async ({ params }, reply) => {
    await desk.remove(params.id)
    return await reply.code(204).send()
  })

  const letters = { ...admin, schema: { params: WebhookId, querystring: DeadLetterQuery } }
  app.get(`${PATH}/:id/dead-letters`, letters, async ({ params, query }) => ({
    dead_letters: await desk.deadLetters(params.id, { limit: Number(query.limit ?? DEFAULT_LETTERS) }),
  }))

  app.post(`${PATH}/:id/dead-letters/redeliver`, aboutOne, async ({ params }, reply) => {
    return { delivered: await desk.redeliverAll(params.id, goneSignal(reply)) }
  })

  app.post(`${PATH}/:id/dead-letters/:letter/redeliver`, aboutLetter, async ({ params }, reply) => {
    await desk.redeliver(params.id, params.letter, goneSignal(reply))
    return { delivered: 1 }
  })

  app.delete(`${PATH}/:id/dead-letters/:letter`, aboutLetter, async ({ params }, reply) => {
    await desk.dropDeadLetter(params.id, params.letter)
    return await reply.code(204).send()
  })
}

/** @throws ForbiddenError */
function assertAdmin(request: FastifyRequest): void {
  if (!requestContextOf(request).isAdmin) throw new ForbiddenError('events:webhooks')
}
