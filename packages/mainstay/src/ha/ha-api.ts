import type { FastifyReply, FastifyRequest } from 'fastify'

import { Type } from 'typebox'

import type { JsonObject } from '../core/json.ts'
import { serveExchange, type ServeDeps } from './api/serve.ts'
import type { HttpApp } from '../http/app.ts'
import { nativePaths } from '../http/route-list.ts'
import { openapiDocument } from './api/openapi.ts'
import { exchangeOf, sendPlain } from '../http/exchange.ts'

export interface HaApiDeps extends ServeDeps {
  /** Paths of other rooms below `/v1`, for the description of the API. */
  readonly otherPaths?: JsonObject | undefined
}

/**
 * The Masakari-compatible API as a Fastify plugin: `/`, `/healthcheck`, the `/v1` tree, and the version document for
 * every other path that no route of another room takes.
 *
 * It answers in the not-found context, because its own router, not Fastify's, knows which paths exist (ha-api.md 1.1),
 * and before Fastify reads the body, because the body comes late in the order of checks (5.1).
 */
export function createHaApi(deps: HaApiDeps): (app: HttpApp) => Promise<void> {
  const serve = serveExchange(deps)
  return async (app) => {
    // At the time of a request every room has registered its routes.
    const schema = {
      description: 'This description. Nobody is asked who they are.',
      response: { 200: Type.Object({}, { additionalProperties: true }) },
    }
    app.get('/api/v1/openapi.json', { schema }, async () =>
      openapiDocument({ ...nativePaths(app), ...deps.otherPaths }),
    )
    await app.register(async (fallback) => answerTheRest(fallback, serve))
  }
}

function answerTheRest(app: HttpApp, serve: ReturnType<typeof serveExchange>): void {
  app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    const exchange = exchangeOf(request, reply)
    const response = await serve(exchange)
    sendPlain(exchange, reply, response)
  })
  app.setNotFoundHandler(async () => {
    throw new Error('The HA API answers before its handler is reached.')
  })
}
