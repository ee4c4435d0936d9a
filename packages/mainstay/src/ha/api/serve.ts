import { existsSync } from 'node:fs'

import type { RequestContext } from '../../core/context.ts'
import { runInContext } from '../../core/context.ts'
import { MainstayError } from '../../core/errors.ts'
import type { Publish } from '../../core/event.ts'
import { SystemRandom, type Random } from '../../core/random.ts'
import { noauth2, single, type Arrival, type Authenticate } from '../../http/authenticate.ts'
import { corsHeaders } from '../../http/cors.ts'
import { IdentityUnavailableError, UnauthorizedError } from '../../http/errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import { choosesV1, responseType } from '../../http/media-type.ts'
import { jsonResponse, withHeaders, type PlainResponse } from '../../http/plain-response.ts'
import { globalRequestId } from '../../http/request-id.ts'
import { statusPage, tooLarge } from '../../http/status-page.ts'
import { parseTarget, type Target } from '../../http/target.ts'
import { Announcer, type Notifier } from '../announce.ts'
import { projectIdPattern } from '../options.ts'
import type { ActionDeps } from './action.ts'
import { linkBase, forwardedAddress } from './link-base.ts'
import { routeMasakari } from './route.ts'
import { runRoute } from './run-route.ts'
import { multipleChoices, versionList } from './version-documents.ts'

export interface ServeDeps extends Omit<ActionDeps, 'announcer' | 'authorize' | 'random'> {
  /** Chance; the operating system's unless given. */
  readonly random?: Random
  /** Who asks; `noauth2` unless given. */
  readonly authenticate?: Authenticate
  /** What they may do; admins everything and others nothing unless given. */
  readonly authorize?: ActionDeps['authorize']
  readonly publishFailure?: Publish | undefined
  readonly notifier?: Notifier | undefined
}

/**
 * Everything that the HA API answers, in the order in which a request is looked at:
 *
 *   unversioned documents · OPTIONS · 413 · 401/503 · router 404 · version 400/406 · 415 · 405 · malformed JSON 400 ·
 *   project 400 · schema 400 · policy 403 · the action
 *
 * Source: ha-api.md 1, 5.1.
 */
export function serveExchange(deps: ServeDeps): (exchange: Exchange) => Promise<PlainResponse> {
  const { authenticate = noauth2, options } = deps
  const pattern = projectIdPattern(options)
  const actionDeps: ActionDeps = {
    ...deps,
    authorize: deps.authorize ?? ((_rule, context) => context.isAdmin),
    random: deps.random ?? new SystemRandom(),
    announcer: new Announcer(deps),
  }

  async function serveV1(exchange: Exchange, target: Target): Promise<PlainResponse> {
    if (exchange.method === 'OPTIONS') {
      return { status: 200, headers: corsHeaders(exchange, options.corsOrigins), body: '' }
    }
    const arrival = arrivalOf(deps, exchange)
    const response = await serveArrival(exchange, target, arrival)
    const cors = corsHeaders(exchange, options.corsOrigins)
    const vary = [response.headers['Vary'], cors['Vary']].filter((name) => name !== undefined).join(', ')
    return withHeaders(response, {
      'X-Openstack-Request-Id': arrival.requestId,
      ...cors,
      ...(vary === '' ? {} : { Vary: vary }),
    })
  }

  async function serveArrival(exchange: Exchange, target: Target, arrival: Arrival): Promise<PlainResponse> {
    const { accept } = exchange.headers
    if ((exchange.contentLength ?? 0) > options.maxBodyBytes) return tooLarge(accept)
    const context = await identify(exchange, arrival)
    if ('status' in context) return context
    const route = routeMasakari(exchange.method, target.path, pattern)
    if (route.kind === 'not-found') return notFound(exchange)
    return await runInContext(context, async () => await runRoute(actionDeps, { exchange, target, route, context }))
  }

  async function identify(exchange: Exchange, arrival: Arrival): Promise<RequestContext | PlainResponse> {
    try {
      return await authenticate(arrival, { signal: exchange.signal })
    } catch (error) {
      return refusal(error, exchange, deps)
    }
  }

  return async (exchange) => {
    const target = parseTarget(exchange.target)
    if (target.path === '/healthcheck') return healthcheck(options.healthcheckDisableFile)
    if (target.path === '/v1' || target.path.startsWith('/v1/')) return await serveV1(exchange, target)
    if (choosesV1(exchange.headers)) return await serveV1(exchange, { ...target, path: `/v1${target.path}` })
    const base = linkBase(exchange, options)
    const type = { 'Content-Type': responseType(exchange.headers.accept, target.path) }
    if (target.path === '/') return jsonResponse(200, versionList(base), type)
    return jsonResponse(300, multipleChoices(base, target.rawPath), type)
  }
}

/** A HEAD request gets the headers of the page, as the reference has it. */
function notFound({ method, headers }: Exchange): PlainResponse {
  return statusPage(404, 'The resource could not be found.', method === 'HEAD' ? 'text/html' : headers.accept)
}

function arrivalOf({ clock, options }: ServeDeps, exchange: Exchange): Arrival {
  return {
    headers: exchange.headers,
    requestId: exchange.requestId,
    globalRequestId: globalRequestId(exchange.headers['x-openstack-request-id']),
    remoteAddress: forwardedAddress(exchange, options),
    timestampMs: clock.now(),
  }
}

/** Why nobody was recognised. Source: ha-api.md 4.1. */
function refusal(error: unknown, exchange: Exchange, { logger }: ServeDeps): PlainResponse {
  if (error instanceof UnauthorizedError) {
    const body = { error: { code: 401, title: 'Unauthorized', message: error.message } }
    return jsonResponse(401, body, error.challenge === null ? {} : { 'WWW-Authenticate': error.challenge })
  }
  const known = error instanceof IdentityUnavailableError || (error instanceof MainstayError && error.retryable)
  logger.error({ err: error, path: exchange.target }, 'A caller could not be identified')
  return known
    ? statusPage(503, 'The Keystone service is temporarily unavailable.', single(exchange.headers.accept) ?? undefined)
    : statusPage(500, 'The caller could not be identified.', single(exchange.headers.accept) ?? undefined)
}

function healthcheck(disableFile: string): PlainResponse {
  const headers = { 'Content-Type': 'text/plain; charset=UTF-8' }
  if (existsSync(disableFile)) return { status: 503, headers, body: 'DISABLED BY FILE' }
  return { status: 200, headers, body: 'OK' }
}
