import { createHaApi, watchUnfinished, type HaOptions, type Notification, type RecoveryProgress } from '../ha/index.ts'
import {
  createHttpApp,
  registerNative,
  registerNativeNotFound,
  registerOperations,
  type HttpApp,
  type OperationsDeps,
} from '../http/index.ts'
import { eventPaths } from '../events/openapi/paths.ts'
import type { StreamService } from '../events/stream-service.ts'
import type { WebhookDesk } from '../events/webhooks/desk.ts'
import { findWorkflow, workflowHistory, type EnqueuedWorkflow, type WorkflowSummary } from '../journal/index.ts'
import { poolRoutes } from '../pool/routes/index.ts'
import { RecoveryDesk, computeHostRoutes, progressDetails, recoveryRoutes, startRecovery } from '../recovery/index.ts'
import type { Queries } from '../store/index.ts'
import type { Access } from './build-access.ts'
import { serveEvents } from './build-events/serve-events.ts'
import { serveNotifications } from './build-events/serve-notifications.ts'
import type { BuiltPool } from './build-pool/start-native-pool.ts'
import type { Config } from './config/schema.ts'
import type { Parts } from './parts.ts'
import { simulationRoutes } from './simulation-routes.ts'

/** What only the routes need. */
interface HttpParts {
  readonly stream: StreamService | null
  readonly webhooks: WebhookDesk | null
  readonly pool: BuiltPool | null
}

/** Makes the HTTP server with the routes of the roles that this process has. @throws InvalidInputError */
export async function buildHttp(parts: Parts, access: Access, { stream, webhooks, pool }: HttpParts): Promise<HttpApp> {
  const { config, clock, ids, logger, metrics, engine, relay, tasks, bus } = parts
  const { store } = parts.store
  const app = createHttpApp({ clock, ids, metrics }, httpOptions(parts))
  registerOperations(app, { metrics, ...healthChecks(parts, { stream, pool }) })
  await stream?.serve(app)
  await serveEvents(app, access, parts, webhooks)
  await serveNotifications(app, access, parts)
  if (!config.server.roles.includes('api')) return app
  const wake = (enqueued?: EnqueuedWorkflow): void => {
    engine.poke(enqueued)
    relay.poke()
  }
  const desk = new RecoveryDesk({ store, clock, ids, poke: () => wake() })
  const native = { clock, logger, authenticate: access.authenticate }
  await registerNative(app, native, (routes) => {
    recoveryRoutes(routes, { desk, authorize: access.authorize })
    computeHostRoutes(routes, {
      compute: parts.compute.compute,
      authorize: access.authorize,
      ids,
      logger,
      clock,
      timeoutMs: config.recovery.request_timeout_ms,
    })
    if (pool !== null) poolRoutes(routes, pool.routes)
    const { simulated } = parts.compute
    if (simulated !== null) simulationRoutes(routes, { simulated, authorize: access.authorize })
  })
  await registerNativeNotFound(app, native)
  const ha = {
    store,
    clock,
    ids,
    logger,
    startRecovery: async (queries: Queries, notification: Notification): Promise<() => void> => {
      const enqueued = await startRecovery(queries, notification, clock.now())
      return () => wake(enqueued)
    },
  }
  const api = createHaApi({
    ...ha,
    publishFailure: relay,
    notifier: bus,
    authenticate: access.authenticate,
    authorize: access.authorize,
    options: haOptions(config),
    otherPaths: parts.events === null ? undefined : eventPaths(),
    platform: {
      computeHostExists: async (name, asking) => (await parts.compute.compute.findHost(name, asking)) !== undefined,
    },
    readProgress: async (notificationUuid) => {
      const workflow = await findWorkflow(store.read, notificationUuid)
      if (workflow === undefined) return []
      return progressDetails(await workflowHistory(store.read, notificationUuid), workflow.status)
    },
  })
  await app.register(api)
  watchUnfinished(
    {
      ...ha,
      tasks,
      recoveryOf: async (queries, { uuid }) => recoveryProgress(await findWorkflow(queries, uuid)),
    },
    {
      retryIntervalMs: config.ha.retry_interval_ms,
      get retryNewAfterMs() {
        return parts.mutable.retryNewAfterMs
      },
      expiryIntervalMs: config.ha.expiry_interval_ms,
      expireAfterMs: config.ha.expire_after_ms,
    },
  )
  return app
}

function recoveryProgress(workflow: WorkflowSummary | undefined): RecoveryProgress {
  if (workflow === undefined) return 'none'
  if (workflow.finishedAt !== null) return 'ended'
  return workflow.status === 'pending' ? 'queued' : 'begun'
}

/** What must hold before requests are sent here, and what is only told of. */
function healthChecks(
  { config, store, events, notifications }: Parts,
  { stream, pool }: Pick<HttpParts, 'stream' | 'pool'>,
): Pick<OperationsDeps, 'readiness' | 'notices'> {
  const own = { store: async () => void (await store.store.version()), ...notifications?.readiness }
  const ofEvents = events && { events: events.check, event_stream: async () => stream?.hub.assertReady() }
  const ofPool = pool && { pool: pool.check }
  const needed = { events: config.events.needed_for_ready, pool: config.pool.needed_for_ready }
  return {
    readiness: { ...own, ...(needed.events ? ofEvents : null), ...(needed.pool ? ofPool : null) },
    notices: { ...notifications?.notices, ...(needed.events ? null : ofEvents), ...(needed.pool ? null : ofPool) },
  }
}

function httpOptions({ config, logger }: Parts): Parameters<typeof createHttpApp>[1] {
  const { http } = config
  const file = (path: string): string | null => (path === '' ? null : path)
  const tls = {
    certFile: file(http.tls_cert_file),
    keyFile: file(http.tls_key_file),
    clientCaFile: file(http.tls_client_ca_file),
  }
  return {
    limits: {
      idleTimeoutMs: http.idle_timeout_ms,
      keepAlive: http.keep_alive,
      tcpKeepIdleMs: http.tcp_keep_idle_ms,
      maxHeaderLineBytes: http.max_header_line_bytes,
      maxConcurrentRequests: http.max_concurrent_requests,
    },
    ...(http.tls ? { tls } : {}),
    ...(http.access_log ? { accessLog: { logger, format: http.access_log_format } } : {}),
  }
}

function haOptions({ ha, recovery }: Config): HaOptions {
  return {
    maxLimit: ha.max_limit,
    linkPrefix: ha.link_prefix === '' ? null : ha.link_prefix,
    notificationDelayMaxMs: ha.notification_delay_max_ms,
    duplicateIntervalMs: ha.duplicate_interval_ms,
    maxBodyBytes: ha.max_body_bytes,
    projectIdPattern: ha.project_id_pattern === '' ? null : ha.project_id_pattern,
    healthcheckDisableFile: ha.healthcheck_disable_file,
    believeForwarded: ha.believe_forwarded,
    useForwardedFor: ha.use_forwarded_for,
    computeCheckTimeoutMs: recovery.request_timeout_ms,
    corsOrigins: ha.cors_origins,
  }
}
