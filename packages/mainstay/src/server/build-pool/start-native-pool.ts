import { hostname } from 'node:os'

import { errorMessage } from '../../core/errors.ts'
import type { Lifecycle } from '../../core/lifecycle.ts'
import { SystemRandom } from '../../core/random.ts'
import { ignoreLogged } from '../../core/task-group.ts'
import { PoolMetrics } from '../../pool/metrics.ts'
import { NativePool } from '../../pool/native-pool.ts'
import { ProviderFleet } from '../../pool/provider/fleet.ts'
import type { Audit, PoolRouteParts } from '../../pool/routes/index.ts'
import { lettingGoMs } from '../config/engine-options.ts'
import type { Config } from '../config/schema.ts'
import type { Parts } from '../parts.ts'
import { installationId } from './installation-id.ts'
import { openPoolStore } from './open-pool-store.ts'
import { poolProviders } from './pool-providers.ts'
import { assertPoolReady } from './pool-readiness.ts'
import { poolSettings } from './pool-settings.ts'

/** The pool of this process, for its routes and for reading the configuration again. */
export interface BuiltPool {
  readonly routes: PoolRouteParts
  /** Goes on with another configuration; providers and the store stay as they are until a restart. @throws InvalidInputError */
  readonly reload: (config: Config) => Promise<void>
  /** Looks whether the pool's memory takes changes. @throws what is wrong with it */
  readonly check: () => Promise<void>
  /** What the banner says of it. */
  readonly description: string
}

/** Spawned machines and checks that wait for their turn in one process. */
const MOST_JOBS = 10_000

/**
 * Starts the native pool; where this process has the role `pool` it may lead it.
 *
 * @param readAgain reads the configuration as it is now; null where nobody knows from where
 * @throws InvalidInputError, RedisUnavailableError
 */
export async function startNativePool(
  parts: Parts,
  lifecycle: Lifecycle,
  readAgain: (() => Promise<Config>) | null,
): Promise<BuiltPool> {
  const { config, clock, ids, logger, tasks, relay } = parts
  const { pool: options } = config
  const metrics = new PoolMetrics(parts.metrics)
  const installation = installationId(config, ids)
  const random = new SystemRandom()
  const fleet = new ProviderFleet({
    members: poolProviders(options.providers, { clock, installation }),
    clock,
    random,
    listener: {
      attempted: ({ provider, failure }) => {
        if (failure !== null) metrics.providerFailed(provider, failure.class)
      },
      disabled: (provider, because) => {
        logger.error(
          { provider },
          `The provider ${provider} refuses our credentials and is not asked any more: ${because}`,
        )
      },
    },
  })
  lifecycle.started('pool providers', async () => await fleet.close())
  const { store, description, carryEvents } = await openPoolStore(parts, lifecycle)
  const pool = new NativePool(
    { store, clock, ids, random, logger, tasks, metrics, fleet, events: relay },
    poolSettings(options, { clock, fleet }),
    {
      master: {
        id: `${hostname()}:${process.pid}:${ids.random().slice(0, 8)}`,
        cycleMs: options.cycle_ms,
        stepBudgetMs: options.step_budget_ms,
        leadership: { leaseMs: options.master_lease_ms, renewMs: options.master_renew_ms },
      },
      spawner: { namePrefix: NAME_PREFIX, atOnce: options.spawns_at_once },
      checker: { atOnce: options.checks_at_once, most: MOST_JOBS },
      terminator: { atOnce: options.terminations_at_once, most: MOST_JOBS, timeoutMs: options.terminate_timeout_ms },
    },
  )
  const keeps = config.server.roles.includes('pool')
  if (carryEvents === null) pool.watch.on(() => relay.poke())
  else if (keeps) tasks.spawn('carry events of the pool', carryEvents).catch(ignoreLogged)
  await pool.start({ lead: keeps })
  lifecycle.started('pool', async () => await pool.stop({ timeoutMs: lettingGoMs(config.server) }))
  const reload = async ({ pool: changed }: Config): Promise<void> => {
    await pool.reload(poolSettings(changed, { clock, fleet }))
    logger.info({ groups: changed.groups.map(({ id }) => id) }, 'The pool goes on with the configuration as it is now')
  }
  return {
    description: `${options.groups.length} groups, kept in ${description}`,
    reload,
    check: async () => await assertPoolReady(store, clock),
    routes: {
      pool,
      store,
      clock,
      metrics,
      longestPollMs: options.acquire_poll_ms,
      reload: readAgain === null ? null : async () => await reload(await readAgain()),
      audit: (entry) => record(parts, entry),
    },
  }
}

/** What the names of our machines begin with. */
const NAME_PREFIX = 'ms'

/** Who changed what, and why: in the log and in the stream. */
function record({ clock, ids, logger, relay }: Parts, { action, subject, actor, reason }: Audit): void {
  logger.info({ audit: action, subject, actor, reason }, `${actor}: ${action} ${subject} (${reason})`)
  try {
    relay.publish({
      id: ids.ordered(),
      type: `pool.audit.${action}`,
      severity: 'info',
      occurredAt: clock.now(),
      nodeName: null,
      resourceId: subject,
      projectId: null,
      correlationId: null,
      payload: { action, subject, actor, reason },
    })
  } catch (error) {
    logger.error({ err: error }, `The record of ${action} is in the log only: ${errorMessage(error)}`)
  }
}
