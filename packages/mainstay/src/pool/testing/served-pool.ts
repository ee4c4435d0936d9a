import { SystemClock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import type { MainstayEvent, Publish } from '../../core/event.ts'
import { SystemIds } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import { silentLogger } from '../../core/logging.ts'
import { Metrics } from '../../core/metrics.ts'
import { SystemRandom } from '../../core/random.ts'
import { TaskGroup } from '../../core/task-group.ts'
import {
  createHttpApp,
  listenOn,
  nativePaths,
  noauth2,
  registerNative,
  stopServing,
  type Authenticate,
} from '../../http/index.ts'
import type { HealthCheck } from '../check/index.ts'
import { DEFAULT_MASTER_RULES } from '../decide/snapshot.ts'
import { openMemoryPool, PoolMemory } from '../memory/store.ts'
import { PoolMetrics } from '../metrics.ts'
import { NativePool, type PoolSettings } from '../native-pool.ts'
import { groupRules, poolRules, type GroupRules, type LabelOptions } from '../options.ts'
import { ProviderFleet } from '../provider/fleet.ts'
import type { Provider } from '../provider/provider.ts'
import { SimulatedCloud, SimulatedProvider } from '../provider/simulated/index.ts'
import { DEFAULT_RECONCILE_OPTIONS } from '../reconcile/index.ts'
import { poolRoutes, type Audit } from '../routes/index.ts'
import type { PoolStore } from '../store.ts'

export interface ServedPool extends AsyncDisposable {
  readonly url: string
  readonly pool: NativePool
  readonly store: PoolStore
  readonly cloud: SimulatedCloud
  readonly metrics: Metrics
  readonly audits: Audit[]
  /** What was published beside the changes of the store. */
  readonly events: readonly MainstayEvent[]
  /** The routes as paths of an OpenAPI document. */
  readonly paths: JsonObject
  reload(groups: readonly ServedGroup[], labels: readonly LabelOptions[]): Promise<void>
}

export type ServedGroup = Pick<GroupRules, 'id'> & Partial<GroupRules>

export interface ServePoolOptions {
  readonly groups?: readonly ServedGroup[]
  readonly labels?: readonly LabelOptions[]
  readonly check?: HealthCheck
  readonly checkOnAcquire?: boolean
  /** Whether nobody is asked who he is. */
  readonly everybodyIsAdmin?: boolean
  /** What an earlier pool left; empty unless given. */
  readonly memory?: PoolMemory
  /** Instead of the simulated one. */
  readonly provider?: Provider
}

/** Who asks: `X-User` is the user, `X-Project` the project, `X-Admin: yes` an admin. Nobody proves anything here. */
const believe: Authenticate = async ({ headers, requestId, timestampMs }) =>
  requestContext({
    requestId,
    timestampMs,
    userId: headers['x-user'] === undefined ? null : String(headers['x-user']),
    projectId: headers['x-project'] === undefined ? null : String(headers['x-project']),
    isAdmin: headers['x-admin'] === 'yes',
  })

/** A pool in memory with machines of a simulated cloud that makes them at once, served on a loopback port. */
export async function servePool(options: ServePoolOptions = {}): Promise<ServedPool> {
  const { groups = [{ id: 'g' }], labels = [], check = async () => ({ passed: true, reason: '' }) } = options
  const clock = new SystemClock()
  const ids = new SystemIds()
  const logger = silentLogger()
  const random = new SystemRandom()
  const cloud = new SimulatedCloud({ clock, latency: { buildMs: 5, destroyMs: 5, startMs: 5, stopMs: 5, resetMs: 5 } })
  const simulated = new SimulatedProvider({ name: 'sim', installation: 'test', cloud, settings: { pollMs: 5 } })
  const { provider = simulated } = options
  const fleet = new ProviderFleet({ members: [{ provider, priority: 0, weight: 1 }], clock, random })
  const metrics = new Metrics()
  const poolMetrics = new PoolMetrics(metrics)
  const store = openMemoryPool({ ids, memory: options.memory ?? new PoolMemory() })
  const published: MainstayEvent[] = []
  const events: Publish = { publish: (event) => void published.push(event) }
  const tasks = new TaskGroup({ clock, logger })
  const settings = (now: readonly ServedGroup[], wishes: readonly LabelOptions[]): PoolSettings => ({
    configuration: {
      pool: poolRules(),
      groups: now.map((group) => groupRules({ ...group, labels: [group.id, ...(group.labels ?? [])] })),
    },
    labels: wishes,
    rules: DEFAULT_MASTER_RULES,
    reconcile: DEFAULT_RECONCILE_OPTIONS,
    forecast: true,
    setup: {
      groups: new Map(
        now.map(({ id }) => [
          id,
          {
            group: id,
            providers: [provider.name],
            profile: {},
            check,
            checkTimeoutMs: 10_000,
            checkOnAcquire: options.checkOnAcquire ?? false,
          },
        ]),
      ),
    },
  })
  const pool = new NativePool(
    { store, clock, ids, random, logger, tasks, metrics: poolMetrics, fleet, events },
    settings(groups, labels),
    {
      master: { id: 'test', minGapMs: 5 },
      spawner: { namePrefix: 'vm', atOnce: 100 },
      checker: { atOnce: 32, most: 10_000 },
      terminator: { atOnce: 20, most: 1000, timeoutMs: 10_000 },
    },
  )
  const audits: Audit[] = []
  const app = createHttpApp({ clock, ids, metrics })
  await registerNative(
    app,
    { clock, logger, authenticate: options.everybodyIsAdmin === true ? noauth2 : believe },
    (routes) => {
      poolRoutes(routes, {
        pool,
        store,
        clock,
        metrics: poolMetrics,
        audit: (entry) => void audits.push(entry),
        reload: null,
        longestPollMs: 25_000,
      })
    },
  )
  await pool.start({ lead: true })
  const url = await listenOn(app, { host: '127.0.0.1', port: 0 })
  return {
    url,
    pool,
    store,
    cloud,
    metrics,
    audits,
    events: published,
    paths: nativePaths(app),
    reload: async (now, wishes) => await pool.reload(settings(now, wishes)),
    [Symbol.asyncDispose]: async () => {
      await stopServing(app, { clock, timeoutMs: 1000 })
      await pool.stop({ timeoutMs: 1000 })
      await tasks.stop({ timeoutMs: 5000 })
      await fleet.close()
      await store[Symbol.asyncDispose]()
    },
  }
}
