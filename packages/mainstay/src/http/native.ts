import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

import type { Clock } from '../core/clock.ts'
import { runInContext, type RequestContext } from '../core/context.ts'
import { errorMessage, MainstayError } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import type { HttpApp } from './app.ts'
import { single, type Authenticate } from './authenticate.ts'
import { clientMistake } from './client-mistake.ts'
import { NotFoundError, UnauthorizedError } from './errors.ts'
import { goneSignal } from './gone-signal.ts'
import { globalRequestId } from './request-id.ts'

export interface NativeDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly authenticate: Authenticate
}

/** The body of every error of the native API. */
export interface NativeError {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly requestId: string
    /** Whether the same request may succeed later. */
    readonly retryable: boolean
  }
}

const contexts = new WeakMap<FastifyRequest, RequestContext>()

/**
 * Registers routes of a room below `/api/v1`: authenticated, each in the context of its request, errors in one form.
 *
 * @param routes registers the routes; their paths begin with `/api/v1/`
 */
export async function registerNative(
  app: HttpApp,
  deps: NativeDeps,
  routes: (native: HttpApp) => void | Promise<void>,
): Promise<void> {
  await app.register(async (native) => {
    native.addHook('onRequest', async (request, reply) => {
      void reply.header('X-Openstack-Request-Id', request.id)
      contexts.set(request, await identify(deps, request, reply))
    })
    // A hook with a callback, because only what the callback starts is inside the context.
    native.addHook('preHandler', (request, _reply, done) => runInContext(requestContextOf(request), done))
    native.setErrorHandler(async (error: FastifyError, request, reply) => await sendError(deps, error, request, reply))
    await routes(native)
  })
}

/** The context of the request that a native route serves. */
export function requestContextOf(request: FastifyRequest): RequestContext {
  const context = contexts.get(request)
  if (context === undefined) throw new Error(`The route ${request.url} was not registered with registerNative.`)
  return context
}

async function identify(
  { authenticate, clock }: NativeDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<RequestContext> {
  return await authenticate(
    {
      headers: request.raw.headers,
      requestId: request.id,
      globalRequestId: globalRequestId(request.raw.headers['x-openstack-request-id']),
      remoteAddress: request.raw.socket.remoteAddress ?? null,
      timestampMs: clock.now(),
    },
    { signal: goneSignal(reply) },
  )
}

async function sendError(
  { logger }: NativeDeps,
  thrown: FastifyError | MainstayError,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const error = clientMistake(thrown, request) ?? thrown
  const known = error instanceof MainstayError
  const status = known ? error.status : (error.statusCode ?? 500)
  if (status >= 500) logger.error({ err: error, path: request.url }, 'A request failed')
  if (error instanceof UnauthorizedError && error.challenge !== null) {
    void reply.header('WWW-Authenticate', error.challenge)
  }
  const unexpected = !known && status >= 500
  const body: NativeError = {
    error: {
      code: unexpected ? 'MS_INTERNAL' : error.code,
      message: unexpected
        ? `Something unexpected happened (${error.name}). Please report it with the request id.`
        : errorMessage(error),
      requestId: request.id,
      retryable: known && error.retryable,
    },
  }
  return await reply.code(status).send(body)
}

/** Answers paths below `/api/` that no room has. */
export async function registerNativeNotFound(app: HttpApp, deps: NativeDeps): Promise<void> {
  await registerNative(app, deps, (native) => {
    native.all('/api/*', async (request) => {
      throw new NotFoundError(
        `There is no ${single(request.method) ?? ''} ${request.url}. The description is at /api/v1/openapi.json.`,
      )
    })
  })
}
