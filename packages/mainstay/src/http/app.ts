import type { IncomingMessage, ServerResponse } from 'node:http'

import { fastify, type FastifyBaseLogger, type FastifyInstance, type RawServerDefault } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'

import type { Clock } from '../core/clock.ts'
import type { Ids } from '../core/ids.ts'
import { toJson } from '../core/json.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Logger } from '../core/logging.ts'
import { formatZulu } from '../core/timestamp.ts'
import { DEFAULT_ACCESS_LOG_FORMAT, logAccess } from './access-log.ts'
import { newRequestId } from './request-id.ts'
import { limitRequests, type RequestLimits } from './request-limits.ts'
import { rememberRoutes } from './route-list.ts'
import { closeSilentConnections } from './silent-connections.ts'
import { routableTarget } from './target.ts'
import { readTls, type TlsFiles } from './tls.ts'
import { answerUnreadableRequest } from './unreadable-request.ts'

export interface HttpAppDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly metrics: Metrics
}

/** Limits of the server. Source: ha-api.md 20.1; the names there are given in brackets. */
export interface HttpLimits extends RequestLimits {
  /** The longest body of a native route; the HA API has its own limit. */
  readonly maxBodyBytes: number
  /** How long a connection without a request is kept [client_socket_timeout]; 0 for ever. */
  readonly idleTimeoutMs: number
  /** The longest that a client may take to send a request. */
  readonly requestTimeoutMs: number
  /** Whether a connection serves more than one request [keep_alive]. */
  readonly keepAlive: boolean
  /** When a silent connection is probed [tcp_keepidle]. */
  readonly tcpKeepIdleMs: number
}

export const defaultHttpLimits: HttpLimits = {
  maxBodyBytes: 1024 * 1024,
  idleTimeoutMs: 900_000,
  requestTimeoutMs: 60_000,
  keepAlive: true,
  tcpKeepIdleMs: 600_000,
  maxHeaderLineBytes: 16_384,
  maxConcurrentRequests: 1000,
}

/** Node looks for requests that are late so many times in the time that one may take. */
const LOOKS_PER_REQUEST_TIMEOUT = 4

/** All header lines together may be as long as so many of the longest. */
const HEADER_LINES = 4

export interface HttpAppOptions {
  readonly limits?: Partial<HttpLimits>
  /** Speaks TLS with these files. */
  readonly tls?: TlsFiles
  /** Writes a line for each request in this form. */
  readonly accessLog?: { readonly logger: Logger; readonly format?: string }
}

/** The server that rooms register their routes on. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/**
 * Makes the server without any route. Bodies are never changed to fit a schema.
 *
 * @throws InvalidInputError when a file of the TLS options cannot be used
 */
export function createHttpApp(deps: HttpAppDeps, options: HttpAppOptions = {}): HttpApp {
  const limits = { ...defaultHttpLimits, ...options.limits }
  const socket = {
    keepAlive: true,
    keepAliveInitialDelay: limits.tcpKeepIdleMs,
    connectionsCheckingInterval: Math.ceil(limits.requestTimeoutMs / LOOKS_PER_REQUEST_TIMEOUT),
    maxHeaderSize: limits.maxHeaderLineBytes * HEADER_LINES,
    // Any other upgrade that a client offers, HTTP/2 for example, is not taken: the request is answered as it is.
    shouldUpgradeCallback: ({ headers }: IncomingMessage): boolean =>
      app.server.listenerCount('upgrade') > 0 && headers.upgrade?.toLowerCase() === 'websocket',
  }
  const app = fastify({
    logger: false,
    genReqId: () => newRequestId(deps.ids),
    bodyLimit: limits.maxBodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    clientErrorHandler: answerUnreadableRequest,
    maxRequestsPerSocket: limits.keepAlive ? 0 : 1,
    rewriteUrl: (request) => routableTarget(request.url ?? '/'),
    // Names of hosts have up to 255 characters, and a character up to twelve in a path; routes have limits of their own.
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, maxParamLength: 4096 },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } },
    ...(options.tls === undefined ? { http: socket } : { https: { ...socket, ...readTls(options.tls) } }),
  }).withTypeProvider<TypeBoxTypeProvider>() as HttpApp
  // Fastify would take 0 for its own default.
  app.server.keepAliveTimeout = limits.idleTimeoutMs
  closeSilentConnections(app, { clock: deps.clock, idleTimeoutMs: limits.idleTimeoutMs })
  // Schemas of answers describe them; they do not cut off what they do not name, as Fastify's own serialiser would.
  app.setSerializerCompiler(() => toJson)
  rememberRoutes(app)
  limitRequests(app, limits)
  measure(app, deps)
  if (options.accessLog !== undefined) {
    const { logger, format = DEFAULT_ACCESS_LOG_FORMAT } = options.accessLog
    logAccess(app, { logger, format, now: () => formatZulu(deps.clock.now()) })
  }
  return app
}

function measure(app: HttpApp, { metrics }: HttpAppDeps): void {
  const seconds = metrics.seconds('mainstay_http_request_seconds', 'How long requests took, in seconds', [
    'method',
    'status',
  ])
  // Looking a series up by its labels takes longer than counting; there are as many as methods and statuses.
  const series = new Map<string, ReturnType<typeof seconds.labels>>()
  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request
    const status = String(reply.raw.statusCode)
    const key = `${method} ${status}`
    let one = series.get(key)
    if (one === undefined) series.set(key, (one = seconds.labels({ method, status })))
    one.observe(reply.elapsedTime / 1000)
    done()
  })
}
