import type { Clock } from '../../core/clock.ts'
import type { Ids } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import { BadRequestError } from '../../http/errors.ts'
import type { ConnectionLimits } from '../access/connection-limits.ts'
import { clientAddress } from '../access/client-address.ts'
import { BEARER_PROTOCOL } from '../access/credentials.ts'
import type { Gate, Listener } from '../access/gate.ts'
import { MessageRate } from '../access/message-rate.ts'
import { knockOf } from '../access/knock.ts'
import type { FilterLimits } from '../filter/index.ts'
import { CLOSE } from '../hub/control-frame.ts'
import type { Dialect } from '../hub/dialect.ts'
import type { EventHub } from '../hub/hub.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import { wishesOf, type Wishes } from '../hub/wishes.ts'
import { WebSocketConnection, type ConnectionOptions, type ConnectionUser } from './connection.ts'
import { DEFLATE_RESPONSE, offersDeflate } from './deflate.ts'
import { offeredProtocols } from './handshake.ts'
import type { ConnectionKeeper } from './keeper.ts'
import type { UpgradeHandler, UpgradeRequest } from './upgrade-routes.ts'

/** What a client of an endpoint can be talked about. */
export interface Conversation {
  readonly connection: WebSocketConnection
  readonly subscriber: Subscriber
  readonly hub: EventHub
  readonly listener: Listener
  readonly remoteAddress: string
  /** What the transport limits, for the `hello`. */
  readonly limits: JsonObject
  readonly logger: Logger
}

/** Hears what a client says; null for a binary message. */
export type Hearing = (text: string | null) => void

/** The dialects of a format, as clients choose them. */
export interface DialectChoice {
  readonly plain: Dialect
  readonly compressed: Dialect
}

export interface EndpointDeps {
  readonly hub: EventHub
  readonly gate: Gate
  readonly limits: ConnectionLimits
  readonly keeper: ConnectionKeeper
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
}

export interface EndpointOptions {
  readonly path: string
  /** What a client that offers no subprotocol hears. */
  readonly plain: DialectChoice
  /** What those hear who offer one. */
  readonly protocols: Readonly<Record<string, DialectChoice>>
  /** What is done with what clients say. */
  readonly converse: (conversation: Conversation, query: URLSearchParams) => Hearing
  /** Whether `since`, `policy` and filters of the URL are obeyed. */
  readonly obeyQuery: boolean
}

/** Numbers of the WebSocket endpoints. Source of the defaults: event-stream.md 11.6, 11.8, 11.9. */
export interface WebSocketOptions {
  readonly maxMessageBytes: number
  readonly messages: { readonly limit: number; readonly windowMs: number }
  readonly filter: FilterLimits
  readonly compression: boolean
  /** Whether the last word of `X-Forwarded-For` is believed. */
  readonly behindProxy: boolean
  readonly pingAfterMs: number
  readonly pongTimeoutMs: number
  readonly closeTimeoutMs: number
}

/**
 * Opens streams at one path: who asks is checked before the connection is one, and what they ask for before they are
 * told that it is.
 *
 * Source: event-stream.md 11.3, R23, R26, R28.
 */
export function webSocketEndpoint(
  deps: EndpointDeps,
  endpoint: EndpointOptions,
  options: WebSocketOptions,
): UpgradeHandler {
  // Made once: each connection refers to them.
  const shared: OpenOptions = {
    plain: { ...options, compression: false },
    compressed: { ...options, compression: true },
    limits: limitsOf(options),
    messages: options.messages,
    now: () => deps.clock.monotonic(),
  }
  return async (upgrade) => {
    const { request, query } = upgrade
    deps.hub.assertServing()
    const offered = offeredProtocols(request.headers)
    const protocol = chooseProtocol(offered, endpoint)
    const compression = options.compression && offersDeflate(request.headers['sec-websocket-extensions'])
    const choice = protocol === undefined ? endpoint.plain : endpoint.protocols[protocol]!
    const dialect = compression ? choice.compressed : choice.plain
    const wishes = wishesOf(endpoint.obeyQuery ? query : new URLSearchParams(), options.filter)
    const remoteAddress = clientAddress(request, options)
    const listener = await deps.gate.admit(knockOf(request, query, offered))
    if (upgrade.socket.destroyed) return
    const leave = deps.limits.enter({ address: remoteAddress, principal: listener.name })
    upgrade.accept({
      ...(protocol === undefined ? {} : { 'Sec-WebSocket-Protocol': protocol }),
      ...(compression ? { 'Sec-WebSocket-Extensions': DEFLATE_RESPONSE } : {}),
    })
    open(deps, endpoint, shared, { upgrade, listener, dialect, wishes, compression, remoteAddress, leave })
  }
}

interface OpenOptions {
  readonly plain: ConnectionOptions
  readonly compressed: ConnectionOptions
  readonly limits: JsonObject
  readonly messages: WebSocketOptions['messages']
  readonly now: () => number
}

interface Opening {
  readonly upgrade: UpgradeRequest
  readonly listener: Listener
  readonly dialect: Dialect
  readonly wishes: Wishes
  readonly compression: boolean
  readonly remoteAddress: string
  readonly leave: () => void
}

/** What outlives this function is kept small: there are many idle connections. */
function open(deps: EndpointDeps, endpoint: EndpointOptions, options: OpenOptions, opening: Opening): void {
  const { hub, keeper, ids, logger } = deps
  const { upgrade, listener, dialect, wishes, compression, remoteAddress } = opening
  const connection = new WebSocketConnection(
    upgrade.socket,
    compression ? options.compressed : options.plain,
    options.now,
  )
  keeper.add(connection)
  hub.figures.connections.labels('websocket').inc()
  const subscriber = hub.subscribe({
    connectionId: ids.random(),
    outlet: connection,
    subscription: { dialect, ...wishes, scope: listener.scope, expiresAtMs: listener.expiresAtMs },
    since: wishes.since,
    limits: options.limits,
    client: { name: listener.name, address: remoteAddress, since: upgrade.query.get('since') ?? 'latest' },
  })
  const conversation = { connection, subscriber, hub, listener, remoteAddress, limits: options.limits, logger }
  const user = new EndpointUser(deps, conversation, {
    hear: endpoint.converse(conversation, upgrade.query),
    rate: new MessageRate(options.messages),
    leave: opening.leave,
    now: options.now,
  })
  connection.open(user, upgrade.head)
}

interface Own {
  readonly hear: Hearing
  readonly rate: MessageRate
  readonly leave: () => void
  readonly now: () => number
}

/** Stands between a connection and its subscriber. */
class EndpointUser implements ConnectionUser {
  readonly #deps: EndpointDeps
  readonly #conversation: Conversation
  readonly #own: Own

  constructor(deps: EndpointDeps, conversation: Conversation, own: Own) {
    this.#deps = deps
    this.#conversation = conversation
    this.#own = own
  }

  heard(text: string | null): void {
    const { subscriber, logger } = this.#conversation
    if (!this.#own.rate.allows(this.#own.now())) {
      subscriber.end(CLOSE.LIMIT, 'Too many messages. Wait before you connect again.')
      return
    }
    try {
      this.#own.hear(text)
    } catch (error) {
      logger.error({ err: error }, 'A message of a stream client could not be handled')
      subscriber.end(CLOSE.SERVER_ERROR, 'Something unexpected happened.')
    }
  }

  flushed(): void {
    this.#conversation.subscriber.flushed()
  }

  ended(): void {
    this.#conversation.subscriber.gone()
  }

  gone(): void {
    const { connection, subscriber, hub } = this.#conversation
    hub.figures.connections.labels('websocket').dec()
    this.#deps.keeper.remove(connection)
    subscriber.gone()
    this.#own.leave()
  }
}

function chooseProtocol(offered: readonly string[], { protocols }: EndpointOptions): string | undefined {
  const known = offered.find((protocol) => Object.hasOwn(protocols, protocol))
  if (known !== undefined || offered.length === 0) return known
  const only = offered.every((protocol) => protocol.startsWith(BEARER_PROTOCOL)) ? ' beside the token' : ''
  throw new BadRequestError(
    `Offer one of the subprotocols ${Object.keys(protocols).join(', ')}${only}, or none at all.`,
  )
}

function limitsOf({ maxMessageBytes, messages, filter }: WebSocketOptions): JsonObject {
  return {
    message_bytes: maxMessageBytes,
    messages: messages.limit,
    messages_window_ms: messages.windowMs,
    texts_per_list: filter.textsPerList,
    text_length: filter.textLength,
    wildcards: filter.wildcards,
  }
}
