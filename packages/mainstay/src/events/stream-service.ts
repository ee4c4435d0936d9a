import type { Clock } from '../core/clock.ts'
import type { Ids } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Random } from '../core/random.ts'
import { TaskGroup } from '../core/task-group.ts'
import { registerNative, type Authenticate, type HttpApp } from '../http/index.ts'
import { withBearer } from './access/bearer.ts'
import { ConnectionLimits } from './access/connection-limits.ts'
import { Gate } from './access/gate.ts'
import { ticketRoutes } from './access/ticket-routes.ts'
import { Tickets, type TicketStore } from './access/tickets.ts'
import { cloudEventsFormat } from './format/cloudevents-format.ts'
import type { Format } from './format/format.ts'
import { nativeFormat } from './format/native.ts'
import { connectionRoutes } from './hub/connection-routes.ts'
import { EventHub } from './hub/hub.ts'
import type { EventLog } from './log.ts'
import type { Presence } from './presence.ts'
import { registerSse } from './sse/routes.ts'
import type { StreamOptions } from './stream-options.ts'
import { webSocketEndpoint, type DialectChoice, type EndpointOptions } from './websocket/endpoint.ts'
import { frameDialect } from './websocket/frame-dialect.ts'
import { ConnectionKeeper } from './websocket/keeper.ts'
import { nativeConversation } from './websocket/native-conversation.ts'
import { UpgradeRoutes } from './websocket/upgrade-routes.ts'

export const STREAM_PATH = '/v1/events/stream'
export const NATIVE_PROTOCOL = 'mainstay.events.v1'
export const CLOUDEVENTS_PROTOCOL = 'cloudevents.json'

export interface StreamServiceDeps {
  readonly log: EventLog
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly authenticate: Authenticate
  readonly tickets: TicketStore
  /** Told of everybody who comes and goes. */
  readonly presence?: Presence | undefined
}

/** How long a client that was told to go may keep its connection beyond its time to close. */
const LINGER_MS = 500

/**
 * The event stream of one node: the hub, and the ways to it, WebSocket and SSE.
 *
 * Source: event-stream.md 11.3 … 11.9.
 */
export class StreamService {
  readonly hub: EventHub
  readonly #deps: StreamServiceDeps
  readonly #options: StreamOptions
  readonly #gate: Gate
  readonly #tickets: Tickets
  readonly #limits: ConnectionLimits
  readonly #keeper: ConnectionKeeper
  readonly #upgrades: UpgradeRoutes
  readonly #tasks: TaskGroup
  readonly #cloudEvents: Format
  #detach: (() => void) | undefined

  constructor(deps: StreamServiceDeps, options: StreamOptions) {
    this.#deps = deps
    this.#options = options
    this.hub = new EventHub(deps, options.hub)
    this.#tickets = new Tickets({ ...deps, store: deps.tickets }, { lifetimeMs: options.ticketLifetimeMs })
    this.#gate = this.#makeGate(deps.authenticate, options.anonymous)
    this.#limits = new ConnectionLimits(options.connections)
    this.#keeper = new ConnectionKeeper(deps.clock)
    this.#upgrades = new UpgradeRoutes(deps.logger)
    this.#tasks = new TaskGroup(deps)
    this.#cloudEvents = cloudEventsFormat(deps, options.cloudEvents)
    const plain = dialectsOf(nativeFormat)
    this.addEndpoint({
      path: STREAM_PATH,
      plain,
      protocols: { [NATIVE_PROTOCOL]: plain, [CLOUDEVENTS_PROTOCOL]: dialectsOf(this.#cloudEvents) },
      obeyQuery: true,
      converse: nativeConversation(this.#gate, options.filter),
    })
  }

  /** How many connections are open, of all kinds. */
  get connections(): number {
    return this.#limits.open
  }

  /**
   * Another WebSocket path.
   *
   * @param anonymous where nobody who comes by this path is asked who they are: what is said of them
   */
  addEndpoint(endpoint: EndpointOptions, anonymous?: { readonly authenticate: Authenticate }): void {
    const gate = anonymous === undefined ? this.#gate : this.#makeGate(anonymous.authenticate, true)
    const deps = { ...this.#deps, hub: this.hub, gate, limits: this.#limits, keeper: this.#keeper }
    this.#upgrades.add(endpoint.path, webSocketEndpoint(deps, endpoint, this.#options))
  }

  /** Begins to follow the log. */
  start(): void {
    this.hub.start()
    this.#tasks
      .spawn('keep WebSocket connections', async (signal) => await this.#keeper.run(signal))
      .catch((error: unknown) => {
        if (!this.#tasks.signal.aborted)
          this.#deps.logger.error({ err: error }, 'WebSockets are not looked at any more')
      })
  }

  /** Adds the paths of the stream to a server. */
  async serve(app: HttpApp): Promise<void> {
    const { clock, logger, authenticate, ids } = this.#deps
    this.#detach = this.#upgrades.attach(app.server)
    await registerNative(app, { clock, logger, authenticate: withBearer(authenticate) }, (routes) => {
      ticketRoutes(routes, { tickets: this.#tickets, clock })
      connectionRoutes(routes, this.hub)
    })
    const { filter, sseGzip: gzip, sseRetryMs: retryMs, closeTimeoutMs, behindProxy } = this.#options
    await registerSse(
      app,
      { hub: this.hub, gate: this.#gate, limits: this.#limits, clock, ids, logger },
      { formats: [nativeFormat, this.#cloudEvents], filter, gzip, retryMs, closeTimeoutMs, behindProxy },
    )
  }

  /**
   * Sends everybody elsewhere, and stops. New clients are refused from the first moment.
   *
   * Source: event-stream.md R34.
   */
  async stop({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    await this.hub.drain()
    await this.#emptied()
    this.#keeper.terminateAll()
    this.#detach?.()
    await Promise.all([this.hub.stop({ timeoutMs }), this.#tasks.stop({ timeoutMs })])
  }

  #makeGate(authenticate: Authenticate, anonymous: boolean): Gate {
    const { allowedOrigins, authenticationTimeoutMs: timeoutMs } = this.#options
    return new Gate({ ...this.#deps, authenticate, tickets: this.#tickets }, { allowedOrigins, anonymous, timeoutMs })
  }

  /** Waits until all connections have closed, or have had time to. */
  async #emptied(): Promise<void> {
    const { closeTimeoutMs } = this.#options
    const late = Promise.withResolvers<void>()
    using _timer = this.#deps.clock.after(closeTimeoutMs + LINGER_MS, () => late.resolve())
    await Promise.race([this.#limits.empty(), late.promise])
  }
}

function dialectsOf(format: Format): DialectChoice {
  return { plain: frameDialect(format), compressed: frameDialect(format, { compression: true }) }
}
