import { SystemClock, type Clock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import { SystemIds } from '../../core/ids.ts'
import { silentLogger } from '../../core/logging.ts'
import { Metrics } from '../../core/metrics.ts'
import { SeededRandom } from '../../core/random.ts'
import {
  createHttpApp,
  listenOn,
  stopServing,
  UnauthorizedError,
  type Authenticate,
  type HttpApp,
  type HttpLimits,
} from '../../http/index.ts'
import { MemoryTicketStore, type TicketStore } from '../access/tickets.ts'
import type { EventLog } from '../log.ts'
import { MemoryEventLog } from '../memory/log.ts'
import { DEFAULT_STREAM_OPTIONS, type StreamOptions } from '../stream-options.ts'
import { StreamService } from '../stream-service.ts'
import { StreamClient, type StreamClientOptions } from './stream-client.ts'
import { waitFor } from './wait-for.ts'

export interface StreamLabOptions {
  readonly log?: EventLog
  readonly clock?: Clock
  readonly options?: Partial<Omit<StreamOptions, 'hub'>> & { readonly hub?: Partial<StreamOptions['hub']> }
  readonly authenticate?: Authenticate
  readonly tickets?: TicketStore
  readonly httpLimits?: Partial<HttpLimits>
}

/** Everybody is admin. */
const anybody: Authenticate = async ({ requestId, timestampMs }) =>
  requestContext({ requestId, timestampMs, isAdmin: true })

/**
 * Tokens that say themselves what they are: `project:p1`, `admin`, `project:p1:expires:<ms>`; others are refused.
 */
export const spokenTokens: Authenticate = async ({ headers, requestId, timestampMs }) => {
  const token = headers['x-auth-token']
  const [, kind, project = null, expires] =
    /^(admin|project:([\w-]+))(?::expires:(\d+))?$/.exec(typeof token === 'string' ? token : '') ?? []
  if (kind === undefined) throw new UnauthorizedError('The token is not valid.')
  return requestContext({
    requestId,
    timestampMs,
    userId: `user-${project ?? 'admin'}`,
    projectId: project,
    isAdmin: kind === 'admin',
    authExpiresAtMs: expires === undefined ? null : Number(expires),
  })
}

/** One node of a stream on a real port, for tests. */
export class StreamLab implements AsyncDisposable {
  readonly log: EventLog
  readonly clock: Clock
  readonly metrics = new Metrics()
  readonly service: StreamService
  readonly #app: HttpApp
  readonly #clients: StreamClient[] = []
  #url = ''
  #stopped = false

  private constructor({
    log,
    clock = new SystemClock(),
    options = {},
    authenticate = anybody,
    tickets,
    httpLimits = {},
  }: StreamLabOptions) {
    this.clock = clock
    this.log = log ?? new MemoryEventLog({ clock })
    const { metrics } = this
    const shared = { clock, ids: new SystemIds(), metrics }
    this.#app = createHttpApp(shared, { limits: httpLimits })
    this.service = new StreamService(
      {
        ...shared,
        log: this.log,
        random: new SeededRandom(1),
        logger: silentLogger(),
        authenticate,
        tickets: tickets ?? new MemoryTicketStore(),
      },
      {
        ...DEFAULT_STREAM_OPTIONS,
        anonymous: authenticate === anybody,
        connections: { perNode: 10_000, perAddress: 10_000, perPrincipal: 10_000 },
        ...options,
        hub: { ...DEFAULT_STREAM_OPTIONS.hub, ...options.hub },
      },
    )
  }

  static async start(options: StreamLabOptions = {}): Promise<StreamLab> {
    const lab = new StreamLab(options)
    lab.service.start()
    await lab.service.serve(lab.#app)
    lab.#url = await listenOn(lab.#app, { host: '127.0.0.1', port: 0 })
    await waitFor('the hub to find its log', () => lab.service.hub.position !== undefined)
    return lab
  }

  get url(): string {
    return this.#url
  }

  /** Opens a WebSocket; it is closed with the lab. */
  connect(options: StreamClientOptions = {}): StreamClient {
    const client = new StreamClient(this.#url, options)
    this.#clients.push(client)
    return client
  }

  /** A WebSocket that has been told hello. */
  async listen(options: StreamClientOptions = {}): Promise<StreamClient> {
    const client = this.connect(options)
    await client.hello()
    return client
  }

  /** Waits until the hub shows everything that is in the log. */
  async settled(): Promise<void> {
    const { head } = await this.log.extent()
    await waitFor('the hub to be level with its log', () => (this.service.hub.position?.seq ?? 0) >= head)
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    await this.service.stop({ timeoutMs: 10_000 })
    await stopServing(this.#app, { clock: new SystemClock(), timeoutMs: 5000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.cut()
    await this.stop()
  }
}
