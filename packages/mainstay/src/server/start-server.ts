import { SystemClock, type Clock } from '../core/clock.ts'
import { currentContext } from '../core/context.ts'
import { SystemIds } from '../core/ids.ts'
import { Lifecycle } from '../core/lifecycle.ts'
import { createLogger, type Logger } from '../core/logging.ts'
import { Metrics } from '../core/metrics.ts'
import { TaskGroup } from '../core/task-group.ts'
import { listenOn, stopServing } from '../http/index.ts'
import { Engine } from '../journal/index.ts'
import {
  hostFailureWorkflow,
  instanceFailureWorkflow,
  processFailureWorkflow,
  type Announce,
} from '../recovery/index.ts'
import { writeToOutbox } from '../store/index.ts'
import { buildAccess, type Access } from './build-access.ts'
import { openEvents } from './build-events/open-events.ts'
import { openStream } from './build-events/open-stream.ts'
import { openWebhooks } from './build-events/open-webhooks.ts'
import { startNotifications } from './build-events/start-notifications.ts'
import { startRelay } from './build-events/start-relay.ts'
import { connectBus, startBus } from './build-bus.ts'
import { buildCompute, type BuiltCompute } from './build-compute.ts'
import { buildHttp } from './build-http.ts'
import type { BuiltPool } from './build-pool/start-native-pool.ts'
import { startPool } from './build-pool/start-pool.ts'
import { openStore } from './build-store.ts'
import { engineOptions } from './config/engine-options.ts'
import { recoveryPolicy } from './config/policy.ts'
import type { Config } from './config/schema.ts'
import { listenAddress } from './listen-address.ts'
import type { Parts } from './parts.ts'
import { tellListeners } from './tell-listeners.ts'

export interface RunningServer {
  /** Where it is reached, `http://host:port`. */
  readonly url: string
  /** Lines for a person who started it by hand. */
  readonly banner: readonly string[]
  readonly compute: BuiltCompute
  /**
   * Goes on with another configuration, as far as that can be done without a restart: the level of the log, the policy
   * files, the age at which new notifications are taken up (ha-api.md 20.2), the pool (C20).
   *
   * @throws InvalidInputError
   */
  reload(config: Config): Promise<void>
  /** Lets running requests end, hands running recoveries on, then stops everything. @throws AggregateError */
  stop(): Promise<void>
}

export interface StartDependencies {
  readonly clock?: Clock
  readonly logger?: Logger
  /** Reads the configuration as it is now. */
  readonly readAgain?: () => Promise<Config>
}

/**
 * Builds the program from its configuration and starts it: the only place that knows every part.
 *
 * @throws InvalidInputError, StoreUnavailableError, StoreCorruptError, StoreSchemaError
 */
export async function startServer(config: Config, dependencies: StartDependencies = {}): Promise<RunningServer> {
  const { clock = new SystemClock(), logger = createLogger(config.log) } = dependencies
  const address = listenAddress(config)
  const access = buildAccess(config, { clock, logger })
  const lifecycle = new Lifecycle({ clock, logger })
  const { graceful_shutdown_timeout_ms: gracefulMs, shutdown_grace_ms: graceMs } = config.server
  try {
    const parts = await build(config, { clock, logger }, lifecycle)
    if (config.server.roles.includes('engine')) {
      await parts.engine.start()
      lifecycle.started('recovery engine', async () => await parts.engine.stop())
    }
    const pool = await startPool(parts, lifecycle, dependencies.readAgain ?? null)
    const stream = openStream(parts, access)
    const webhooks = await openWebhooks(parts, lifecycle)
    const app = await buildHttp(parts, access, { stream, webhooks, pool })
    const url = await listenOn(app, address)
    lifecycle.started('http server', async () => await stopServing(app, { clock, timeoutMs: gracefulMs }))
    if (stream !== null) {
      stream.start()
      // Before the server: it would wait for open streams, and their clients are to be told first.
      lifecycle.started('event stream', async () => await stream.stop({ timeoutMs: graceMs }))
    }
    // Who lets requests take as long as they want waits for them. Source: ha-api.md 20.2.
    const timeoutMs = gracefulMs === 0 ? Number.POSITIVE_INFINITY : gracefulMs + graceMs
    const stop = async (): Promise<void> => await lifecycle.stop({ timeoutMs })
    const reload = async (changed: Config): Promise<void> => {
      await pool?.reload(changed)
      logger.level = changed.log.level
      access.reload()
      parts.mutable.retryNewAfterMs = changed.ha.retry_new_after_ms
    }
    return { url, banner: banner(url, parts, access, pool), compute: parts.compute, reload, stop }
  } catch (error) {
    await lifecycle.stop({ timeoutMs: graceMs })
    throw error
  }
}

async function build(config: Config, deps: { clock: Clock; logger: Logger }, lifecycle: Lifecycle): Promise<Parts> {
  const { clock, logger } = deps
  const ids = new SystemIds()
  const metrics = new Metrics()
  metrics.collectProcess()
  const store = openStore(config, deps)
  lifecycle.started('store', store.release)
  await store.store.migrate()
  const events = await openEvents(config, { clock, ids, logger, metrics }, lifecycle)
  const sender = connectBus(config, { clock, logger }, lifecycle)
  const tasks = new TaskGroup(deps)
  lifecycle.started('background work', async () => await tasks.stop({ timeoutMs: config.server.shutdown_grace_ms }))
  const shared = config.events.store === 'redis'
  const notifications =
    events === null
      ? null
      : await startNotifications({ config, clock, ids, logger, metrics, events, shared, lifecycle })
  const relay = startRelay({ config, clock, logger, tasks, store, events })
  const bus =
    sender === undefined ? undefined : startBus(config, sender, { store: store.store, clock, ids, tasks, logger })
  const compute = await buildCompute(config, { clock, logger, ids, store: store.store, publish: relay })
  lifecycle.started('compute', async () => await compute.compute.close())
  const poke = (): void => {
    relay.poke()
    bus?.committed()
  }
  const engine = new Engine(
    { store: store.store, clock, ids, tasks, logger, metrics, afterCommit: poke },
    { ...engineOptions(config), exclusive: store.exclusive },
  )
  const announce: Announce = async (queries, { type, severity, host, workflowId, payload }, now) => {
    const correlationId = currentContext()?.requestId ?? null
    const event = {
      id: ids.ordered(),
      type,
      severity,
      occurredAt: now,
      nodeName: host,
      resourceId: workflowId,
      payload,
    }
    await writeToOutbox(queries, { ...event, projectId: null, correlationId })
  }
  const mutable = { retryNewAfterMs: config.ha.retry_new_after_ms }
  const tools = {
    compute: compute.compute,
    fencesFor: compute.fencesFor,
    policy: recoveryPolicy(config),
    ids,
    announce,
    tellListeners: tellListeners({ ids, bus }),
  }
  engine.register(hostFailureWorkflow(tools))
  engine.register(instanceFailureWorkflow(tools))
  engine.register(processFailureWorkflow(tools))
  return {
    config,
    clock,
    ids,
    logger,
    metrics,
    tasks,
    store,
    events,
    notifications,
    compute,
    engine,
    relay,
    bus,
    mutable,
  }
}

function banner(
  url: string,
  { config, store, events, compute }: Parts,
  access: Access,
  pool: BuiltPool | null,
): string[] {
  const real = 'real guests: --compute libvirt (docs/how-to/libvirt.md)'
  return [
    `Mainstay serves ${url} (roles: ${config.server.roles.join(', ')})`,
    `  data     ${store.description}`,
    ...(events === null ? [] : [`  events   ${events.description}`]),
    `  compute  ${compute.description}`,
    ...(compute.simulated === null ? [] : [`           ${real}`]),
    ...(pool === null ? [] : [`  pool     ${pool.description}`]),
    `  access   ${access.description}`,
  ]
}
