import type { RequestContext } from '../../core/context.ts'
import type { Clock } from '../../core/clock.ts'
import type { Ids } from '../../core/ids.ts'
import type { Json, JsonObject } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import type { Random } from '../../core/random.ts'
import type { Authorize } from '../../http/authorize.ts'
import type { Microversion } from '../../http/microversion.ts'
import type { Queries, Store } from '../../store/index.ts'
import type { Announcer } from '../announce.ts'
import type { HaOptions } from '../options.ts'
import type { ProgressDetail } from '../progress.ts'
import type { Notification } from '../records/notification.ts'
import type { Resource } from './route.ts'
import type { BodySchema } from './schema.ts'

/** What the HA rules need of the compute platform. */
export interface HaPlatform {
  /** Whether the platform knows a compute host of exactly this name. */
  computeHostExists(name: string, options: { signal: AbortSignal }): Promise<boolean>
}

/** What actions work with. */
export interface ActionDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly options: HaOptions
  readonly platform: HaPlatform
  readonly random: Random
  readonly authorize: Authorize
  readonly announcer: Announcer
  readonly startRecovery: StartRecovery
  /** What is known of a notification's recovery, whether or not an engine runs. */
  readonly readProgress: (notificationUuid: string) => Promise<ProgressDetail[]>
}

/**
 * Starts the recovery of a notification, in the transaction that stores it.
 *
 * @returns what is called once the transaction is on disk, so that whoever works on it need not poll
 */
export type StartRecovery = (
  queries: Queries,
  notification: Notification,
  context: RequestContext,
) => Promise<() => void>

/** One request that has passed every check before its action. */
export interface Call<Body = Json> {
  readonly context: RequestContext
  readonly version: Microversion
  readonly query: URLSearchParams
  readonly body: Body
  /** An id from the path; empty when the route has none. */
  readonly id: (resource: Resource) => string
  /** Scheme and host that links begin with. */
  readonly base: () => string
  readonly idempotencyKey: string | null
  readonly signal: AbortSignal
}

/** One operation of the API. */
export interface Action {
  readonly policy: string
  readonly successStatus: 200 | 201 | 202 | 204
  /** The body's schema at a version; absent for operations without a body. */
  readonly schema?: (version: Microversion) => BodySchema<unknown>
  readonly run: (deps: ActionDeps, call: Call) => Promise<JsonObject | undefined>
}

/** Makes an action whose body has the type that its schema checked. */
export function bodyAction<Body>(
  action: Omit<Action, 'schema' | 'run'> & {
    readonly schema: (version: Microversion) => BodySchema<Body>
    readonly run: (deps: ActionDeps, call: Call<Body>) => Promise<JsonObject | undefined>
  },
): Action {
  return { ...action, run: async (deps, call) => await action.run(deps, { ...call, body: call.body as Body }) }
}
