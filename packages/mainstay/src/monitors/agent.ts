import { access, constants } from 'node:fs/promises'

import { Gauge } from 'prom-client'

import { CommandNotFoundError } from '../core/child-process.ts'
import type { Clock } from '../core/clock.ts'
import { InvalidInputError } from '../core/errors.ts'
import type { Ids } from '../core/ids.ts'
import { EventLoopDelay } from '../core/event-loop-delay.ts'
import { Lifecycle } from '../core/lifecycle.ts'
import type { Logger } from '../core/logging.ts'
import { Metrics } from '../core/metrics.ts'
import type { Random } from '../core/random.ts'
import { TaskGroup } from '../core/task-group.ts'
import type { AgentOptions } from './agent-options.ts'
import { apiAccess, apiPost, type KeystoneAccess } from './api-access.ts'
import { AgentConfigError, ScratchDirectoryError } from './errors.ts'
import { HealthServer, type HealthAnswer } from './health-server.ts'
import { startInstanceMonitor } from './instance/start.ts'
import type { MonitorName, RunningMonitor, StartMonitor } from './monitor.ts'
import { watchNetwork } from './network-watch.ts'
import { HttpNotificationApi } from './sender/http-notification-api.ts'
import { NodeSpoolDirectory } from './sender/node-spool-directory.ts'
import { Sender, type SenderOptions } from './sender/sender.ts'
import { senderMetrics } from './sender/sender-metrics.ts'
import { Spool } from './sender/spool.ts'

export interface AgentDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  readonly logger: Logger
  /** Needed for `auth_type = password` and its like. */
  readonly keystone?: KeystoneAccess
  /** Further kinds of monitors, by name. */
  readonly monitors?: Partial<Readonly<Record<MonitorName, StartMonitor>>>
}

/** How an agent ended. Source: monitors.md DL-4. */
export type AgentExit =
  | { readonly code: 0 }
  /** 1 internal; 2 configuration, do not restart; 69 an external command is missing. */
  | { readonly code: 1 | 2 | 69; readonly error: unknown }

export interface RunningAgent {
  /** Where the health pages are; undefined when there are none. */
  readonly healthAddress: string | undefined
  /**
   * Takes over what can be changed in place: credentials, delivery, filters (DL-3).
   *
   * @throws AgentConfigError, and then everything stays as it was
   */
  reload(options: AgentOptions): void
  /** Stops everything: at once when idle, after `shutdown_grace` at most (DL-2). */
  stop(how?: { readonly graceMs?: number }): Promise<void>
}

/** With more than this waiting, an API that cannot be reached makes the agent not ready. */
const MANY_WAITING = 1_000

/**
 * Starts the chosen monitors of this host with one sender for all of them.
 *
 * The order matters: the sender is there before the first monitor sees anything, and goes after the last.
 *
 * @throws AgentConfigError, CommandNotFoundError, ScratchDirectoryError, SpoolBusyError, SpoolUnreadableError
 */
export async function startAgent(
  names: readonly MonitorName[],
  options: AgentOptions,
  deps: AgentDeps,
): Promise<RunningAgent> {
  const { clock, logger, ids, random } = deps
  const metrics = new Metrics()
  metrics.collectProcess()
  const tasks = new TaskGroup({ clock, logger })
  const parts = new Lifecycle({ clock, logger })
  const settings = { options, api: connectApi(options, deps) }
  if (options.tempdir !== undefined) await checkScratch(options.tempdir)
  try {
    parts.started('background work', async () => await tasks.stop({ timeoutMs: 1_000 }))
    const directory = await NodeSpoolDirectory.lock(options.sender.spoolDir)
    const spool = await Spool.open({ directory, clock, ids, logger })
    const sender = new Sender({
      spool,
      clock,
      random,
      logger,
      tasks,
      api: {
        post: async (...about) => await settings.api.post(...about),
        forgetToken: () => settings.api.forgetToken(),
      },
      metrics: senderMetrics(metrics, spool, () => clock.now()),
      options: () => senderOptions(settings.options),
    })
    const grace = { graceMs: options.sender.shutdownGraceMs }
    parts.started('the sender', async () => await sender.stop(grace))
    sender.start()
    const { networkCheckMs: periodMs } = options.sender
    const network = watchNetwork({ clock }, { periodMs, changed: () => sender.wake() })
    parts.started('the network watch', async () => network[Symbol.dispose]())
    parts.started('the figures of the event loop', measureEventLoop(metrics))

    const monitors = new Map<MonitorName, RunningMonitor>()
    const context = { sink: sender, clock, random, logger, metrics, tasks }
    for (const name of names) {
      const start = starter(name, deps)
      const monitor = await start(context, options)
      monitors.set(name, monitor)
      parts.started(`the ${name} monitor`, async () => await monitor.stop())
    }
    const health = await HealthServer.start(options.metrics.listen, {
      metrics,
      healthz: () => ({ ok: sender.durable, detail: { spool: sender.durable ? 'on disk' : 'in memory only' } }),
      readyz: () => readiness(sender, monitors),
    })
    if (health !== undefined) parts.started('the health pages', async () => await health.stop())
    logger.info({ monitors: names, health: health?.address, spool: options.sender.spoolDir }, 'The agent runs')

    return {
      healthAddress: health?.address,
      reload: (changed) => {
        const api = connectApi(changed, deps)
        const kept = keptUntilRestart(settings.options, changed)
        if (kept.length > 0) logger.warn({ kept }, 'These options keep their old values until the agent is restarted')
        for (const monitor of monitors.values()) monitor.reload(changed)
        Object.assign(settings, { options: changed, api })
        sender.wake()
      },
      stop: async ({ graceMs = options.sender.shutdownGraceMs } = {}) => {
        grace.graceMs = graceMs
        await parts.stop({ timeoutMs: graceMs + 5_000 })
      },
    }
  } catch (error) {
    await parts.stop({ timeoutMs: 2_000 })
    throw error
  }
}

/** The exit that an error means. Source: monitors.md DL-4. */
export function exitOf(error: unknown): AgentExit {
  if (error instanceof AgentConfigError || error instanceof InvalidInputError) return { code: 2, error }
  if (error instanceof CommandNotFoundError) return { code: 69, error }
  return { code: 1, error }
}

function starter(name: MonitorName, deps: AgentDeps): StartMonitor {
  const start = name === 'instance' ? (deps.monitors?.instance ?? startInstanceMonitor) : deps.monitors?.[name]
  if (start !== undefined) return start
  throw new AgentConfigError(`There is no ${name} monitor in this program yet. Leave it out of --monitors.`)
}

function connectApi(options: AgentOptions, { clock, keystone }: AgentDeps): HttpNotificationApi {
  const { endpoint, tokens } = apiAccess(options.api, keystone)
  const { timeoutMs } = options.api
  return new HttpNotificationApi({ endpoint, tokens, clock, timeoutMs, post: apiPost(options.api, clock) })
}

function senderOptions({ sender }: AgentOptions): SenderOptions {
  const { sendConcurrency, retryMode, retryCapMs, spoolTtlMs, maxRetryAfterMs, retry } = sender
  return {
    concurrency: sendConcurrency,
    mode: retryMode,
    capMs: retryCapMs,
    ttlMs: spoolTtlMs,
    maxRetryAfterMs,
    retry,
  }
}

function readiness(sender: Sender, monitors: ReadonlyMap<MonitorName, RunningMonitor>): HealthAnswer {
  const { apiReachable, waiting } = sender.status
  const seen = [...monitors].map(([name, monitor]) => ({ name, ...monitor.health() }))
  const heard = apiReachable !== false || waiting < MANY_WAITING
  const api = apiReachable === undefined ? 'not asked yet' : apiReachable ? 'reachable' : 'not reachable'
  return { ok: heard && seen.every(({ ready }) => ready), detail: { api, waiting, monitors: seen } }
}

async function checkScratch(directory: string): Promise<void> {
  try {
    await access(directory, constants.W_OK)
  } catch (error) {
    throw new ScratchDirectoryError(directory, { cause: error })
  }
}

/** What has changed and is read at the start only. */
function keptUntilRestart(before: AgentOptions, after: AgentOptions): string[] {
  const read = ({ stateDir, sender, libvirt, metrics }: AgentOptions): Readonly<Record<string, unknown>> => ({
    state_dir: stateDir,
    spool_dir: sender.spoolDir,
    shutdown_grace: sender.shutdownGraceMs,
    connection_uri: libvirt.connectionUri,
    connect_timeout: libvirt.connectTimeoutMs,
    call_timeout: libvirt.callTimeoutMs,
    keepalive_interval: libvirt.keepaliveIntervalMs,
    keepalive_misses: libvirt.keepaliveMisses,
    listen: metrics.listen,
  })
  const old = read(before)
  return Object.entries(read(after)).flatMap(([name, value]) => (old[name] === value ? [] : [name]))
}

/** How long the event loop was held up at worst since the last look. Returns how to stop measuring. */
function measureEventLoop(metrics: Metrics): () => Promise<void> {
  const delay = new EventLoopDelay()
  const gauge: Gauge = new Gauge({
    name: 'mainstay_eventloop_lag_seconds',
    help: 'The longest time that the event loop was held up since this was last read.',
    registers: [metrics.registry],
    collect: (): void => gauge.set(delay.worstSeconds()),
  })
  return async () => delay[Symbol.dispose]()
}
