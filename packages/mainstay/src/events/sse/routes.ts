import type { FastifyReply, FastifyRequest } from 'fastify'

import type { Clock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import { BadRequestError } from '../../http/errors.ts'
import { registerNative, type HttpApp } from '../../http/index.ts'
import { giveUpPlace } from '../../http/request-limits.ts'
import { parseTarget } from '../../http/target.ts'
import { clientAddress } from '../access/client-address.ts'
import type { ConnectionLimits } from '../access/connection-limits.ts'
import type { Gate, Listener } from '../access/gate.ts'
import { knockOf } from '../access/knock.ts'
import type { FilterLimits } from '../filter/index.ts'
import type { Format } from '../format/format.ts'
import type { Dialect } from '../hub/dialect.ts'
import type { EventHub } from '../hub/hub.ts'
import { parseSince } from '../hub/since.ts'
import { wishesOf } from '../hub/wishes.ts'
import { responseHead } from '../websocket/handshake.ts'
import { SseOutlet } from './outlet.ts'
import { textDialect } from './text-dialect.ts'

export const SSE_PATH = '/v1/events/sse'

export interface SseDeps {
  readonly hub: EventHub
  readonly gate: Gate
  readonly limits: ConnectionLimits
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
}

export interface SseOptions {
  /** What `format=` may say; the first one is spoken unless it says anything. */
  readonly formats: readonly [Format, ...Format[]]
  readonly filter: FilterLimits
  /** Whether the last word of `X-Forwarded-For` is believed. */
  readonly behindProxy: boolean
  /** Whether a client that takes gzip gets it. */
  readonly gzip: boolean
  /** How long a browser waits before it comes back. */
  readonly retryMs: number
  /** How long a client may take to take what is left after the end. */
  readonly closeTimeoutMs: number
}

/**
 * The stream as Server-Sent Events.
 *
 * Source: event-stream.md R24 … R26.
 */
export async function registerSse(app: HttpApp, deps: SseDeps, options: SseOptions): Promise<void> {
  const dialects = new Map<string, Dialect>()
  for (const format of options.formats) {
    for (const named of [true, false]) dialects.set(`${format.name} ${named}`, textDialect(format, { named }))
  }
  const { clock, logger } = deps
  // The gate looks at more than the headers that the usual way of authentication knows: it does so in the route.
  const authenticate = async ({ requestId, timestampMs }: { requestId: string; timestampMs: number }) =>
    requestContext({ requestId, timestampMs })
  await registerNative(app, { clock, logger, authenticate }, (routes) => {
    routes.get(SSE_PATH, async (request, reply) => await serve(deps, options, dialects, request, reply))
  })
}

async function serve(
  deps: SseDeps,
  options: SseOptions,
  dialects: ReadonlyMap<string, Dialect>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { hub, gate, limits } = deps
  hub.assertServing()
  const { query } = parseTarget(request.originalUrl)
  const dialect = chooseDialect(query, dialects, options)
  const lastEventId = request.headers['last-event-id']
  const sinceText = typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : query.get('since')
  const wishes = { ...wishesOf(query, options.filter), since: parseSince(sinceText) }
  const listener = await gate.admit(knockOf(request.raw, query))
  const { socket } = request.raw
  if (socket.destroyed) return
  const address = clientAddress(request.raw, options)
  const leave = limits.enter({ address, principal: listener.name })
  // From here on the socket is ours: what the framework knows of the request must not hold a place that others need.
  void reply.hijack()
  giveUpPlace(request)
  const gzip = options.gzip && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  socket.write(responseHead(200, headersOf(request.headers.origin, gzip)))
  const client = { name: listener.name, address, since: sinceText ?? 'latest' }
  stream(deps, options, { socket, dialect, wishes, listener, gzip, client, leave })
}

interface Streaming {
  readonly socket: FastifyRequest['raw']['socket']
  readonly dialect: Dialect
  readonly wishes: ReturnType<typeof wishesOf>
  readonly listener: Listener
  readonly gzip: boolean
  readonly client: { readonly name: string | null; readonly address: string; readonly since: string }
  readonly leave: () => void
}

function stream({ hub, ids, clock }: SseDeps, options: SseOptions, streaming: Streaming): void {
  const { socket, dialect, wishes, listener, gzip, client, leave } = streaming
  const gauge = hub.figures.connections.labels('sse')
  gauge.inc()
  const outlet = new SseOutlet(socket, {
    gzip,
    user: {
      flushed: () => subscriber.flushed(),
      ended: () => {
        subscriber.gone()
        // A client that takes nothing would keep the socket for ever.
        const timer = clock.after(options.closeTimeoutMs, () => outlet.terminate())
        socket.once('close', () => timer[Symbol.dispose]())
      },
      gone: () => {
        gauge.dec()
        subscriber.gone()
        leave()
      },
    },
  })
  outlet.write(Buffer.from(`retry: ${options.retryMs}\n\n`))
  const subscriber = hub.subscribe({
    connectionId: ids.random(),
    outlet,
    subscription: { dialect, ...wishes, scope: listener.scope, expiresAtMs: listener.expiresAtMs },
    since: wishes.since,
    limits: {},
    client,
  })
}

/** @throws BadRequestError */
function chooseDialect(
  query: URLSearchParams,
  dialects: ReadonlyMap<string, Dialect>,
  { formats }: SseOptions,
): Dialect {
  const dialect = dialects.get(`${query.get('format') ?? formats[0].name} ${query.get('named') !== '0'}`)
  if (dialect !== undefined) return dialect
  throw new BadRequestError(`format must be one of ${formats.map(({ name }) => name).join(', ')}.`)
}

function headersOf(origin: string | undefined, gzip: boolean): Record<string, string> {
  return {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
    Connection: 'close',
    ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
    // The gate has let it in: its page may read what it asked for.
    ...(origin === undefined ? {} : { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' }),
  }
}
