import { access as mayAccess, constants } from 'node:fs/promises'

import { SystemClock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import { SystemIds } from '../../core/ids.ts'
import { createLogger } from '../../core/logging.ts'
import { buildAccess } from '../build-access.ts'
import { buildCompute, type ComputeDependencies } from '../build-compute.ts'
import { poolLooks } from '../build-pool/check-pool.ts'
import { dataDirectory, openStore, type BuiltStore } from '../build-store.ts'
import { importWarnings } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { checkEventRedis } from './check-event-log.ts'
import { checkBridgeRedis, checkBroker, checkBus, type NeighbourCheckDeps } from './check-notifications.ts'
import { commandConfig, type ConfigurationOptions } from './command-config.ts'

export interface CheckOptions extends ConfigurationOptions {
  readonly signal: AbortSignal
  readonly compute?: string | undefined
}

export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly text: string
  /** What to do, when it is not. */
  readonly remedy?: string | undefined
}

/** `mainstay check`: whether a configuration and its neighbours are usable, one result each. */
export async function* check(options: CheckOptions): AsyncGenerator<CheckResult> {
  let config: Config
  try {
    config = await commandConfig(options, { 'compute.driver': options.compute })
  } catch (error) {
    yield failed('configuration', error, 'Correct the option; docs/reference/configuration.md lists all of them.')
    return
  }
  yield { name: 'configuration', ok: true, text: options.config ?? 'built-in defaults' }
  // What has no meaning here is no fault, but whoever switches wants to know of it.
  for (const text of options.importConf === undefined ? [] : await importWarnings(options.importConf)) {
    yield { name: 'import', ok: true, text }
  }
  yield await attempt('data directory', 'Make it writable, or choose another with --data-dir.', async () => {
    const directory = dataDirectory(config)
    await mayAccess(directory, constants.W_OK)
    return directory
  })
  const logger = createLogger({ ...config.log, level: 'silent' })
  const deps = { clock: new SystemClock(), logger, ids: new SystemIds() }
  const signIn = 'See that Keystone runs, and the options auth.* and policy.*; the message names what is wrong.'
  yield await attempt('access', signIn, async () => {
    const access = buildAccess(config, deps)
    const limit = { clock: deps.clock, what: 'Signing in', timeoutMs: config.check.timeout_ms, signal: options.signal }
    await withDeadline(limit, async (signal) => await access.check({ signal }))
    return access.description
  })
  let built: BuiltStore
  try {
    built = openStore(config, deps)
  } catch (error) {
    yield failed('database', error, 'See the message: another mainstay may be using it, or the file is damaged.')
    return
  }
  try {
    const remedy = 'Run "mainstay migrate" if the schema is old; otherwise see the message.'
    yield await attempt('database', remedy, async () => {
      const pending = await built.store.pendingMigrations()
      return `${built.description}, ${pending.length === 0 ? 'schema up to date' : `${pending.length} migrations to run`}`
    })
    yield await attempt(`compute (${config.compute.driver})`, 'See that the platform runs and answers.', async () => {
      return await checkCompute(config, { ...deps, store: built.store }, options.signal)
    })
  } finally {
    await built.release()
  }
  const neighbours = { ...deps, signal: options.signal, timeoutMs: config.check.timeout_ms }
  if (config.server.roles.includes('events') && config.events.store === 'redis') {
    const remedy = 'See that Redis runs, and that events.redis_url is right.'
    yield await attempt('event log (redis)', remedy, async () => await checkEventRedis(config, neighbours))
  }
  yield* checkNotifications(config, neighbours)
  for (const { name, remedy, look } of poolLooks(config, neighbours)) yield await attempt(name, remedy, look)
}

/** The sources of other programs' events, where they are configured. */
async function* checkNotifications(config: Config, deps: NeighbourCheckDeps): AsyncGenerator<CheckResult> {
  const { openstack, bridge } = config.events
  if (config.notifications.driver === 'rabbitmq') {
    const remedy = 'See that RabbitMQ runs, and that notifications.url has the right user, password and vhost.'
    yield await attempt('message bus', remedy, async () => await checkBus(config, deps))
  }
  if (openstack.url !== '') {
    const remedy = 'See that RabbitMQ runs, and that events.openstack.url has the right user, password and vhost.'
    yield await attempt('message broker', remedy, async () => await checkBroker(config, deps))
  }
  if (bridge.input_channel !== '' || bridge.output_channel !== '') {
    const remedy = 'See that Redis runs, and that events.bridge.redis_url is right.'
    yield await attempt('event bridge', remedy, async () => await checkBridgeRedis(config, deps))
  }
}

async function checkCompute(config: Config, deps: ComputeDependencies, outer: AbortSignal): Promise<string> {
  const { compute, description } = await buildCompute(config, deps)
  try {
    const limit = { clock: deps.clock, what: 'Listing the hosts', timeoutMs: config.check.timeout_ms, signal: outer }
    const hosts = await withDeadline(limit, async (signal) => await compute.listHosts({ signal }))
    const up = hosts.filter(({ state }) => state === 'up').length
    if (up === 0) throw new Error(`none of the ${hosts.length} hosts answers`)
    return `${description}, ${up} of ${hosts.length} hosts up`
  } finally {
    await compute.close()
  }
}

async function attempt(name: string, remedy: string, look: () => Promise<string>): Promise<CheckResult> {
  try {
    return { name, ok: true, text: await look() }
  } catch (error) {
    return failed(name, error, remedy)
  }
}

function failed(name: string, error: unknown, remedy: string): CheckResult {
  return { name, ok: false, text: errorMessage(error), remedy }
}
