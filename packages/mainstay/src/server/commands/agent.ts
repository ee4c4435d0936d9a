import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Clock } from '../../core/clock.ts'
import { InvalidInputError, errorMessage } from '../../core/errors.ts'
import { SystemIds } from '../../core/ids.ts'
import { createLogger } from '../../core/logging.ts'
import { SystemRandom } from '../../core/random.ts'
import {
  AgentConfigError,
  MONITOR_NAMES,
  agentOptions,
  importMonitorsConf,
  startAgent,
  type AgentOptions as MonitorOptions,
  type ImportedConf,
  type MonitorName,
} from '../../monitors/index.ts'
import type { ConfigurationOptions } from './command-config.ts'
import type { Running } from './running.ts'

export interface AgentOptions extends ConfigurationOptions {
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly monitors?: readonly string[] | undefined
  readonly endpoint?: string | undefined
  readonly spoolDir?: string | undefined
  /** The socket of libvirtd. */
  readonly libvirtSocket?: string | undefined
  readonly hostname?: string | undefined
}

/** The monitors that an agent runs unless it is told which. */
const DEFAULT_MONITORS: readonly MonitorName[] = ['instance']

/**
 * `mainstay agent`: the monitors of this host. Its configuration is a masakarimonitors.conf.
 *
 * @throws InvalidInputError, AgentConfigError and what `startAgent` throws
 */
export async function runAgent(options: AgentOptions): Promise<Running> {
  const names = monitorNames(options.monitors)
  const logger = createLogger({})
  refuseServerOptions(options)
  const loaded = await asUsage(async () => await load(options))
  for (const warning of loaded.warnings) logger.warn(warning)
  const services = { clock: options.clock, ids: new SystemIds(), random: new SystemRandom(), logger }
  const agent = await asUsage(async () => await startAgent(names, loaded.options, services))
  const reload = (): void => {
    load(options).then(
      (again) => agent.reload(again.options),
      (error: unknown) => logger.error({ err: error }, `The old configuration stays: ${errorMessage(error)}`),
    )
  }
  process.on('SIGHUP', reload)
  const health = agent.healthAddress === undefined ? [] : [`  health   ${agent.healthAddress}`]
  return {
    banner: [
      `Mainstay watches ${loaded.options.hostname} (monitors: ${names.join(', ')})`,
      `  reports  ${loaded.options.api.endpoint ?? 'to the instance-ha service of the catalogue'}`,
      `  spool    ${loaded.options.sender.spoolDir}`,
      ...health,
    ],
    ended: new Promise(() => {}),
    stop: async () => {
      process.off('SIGHUP', reload)
      await agent.stop()
    },
  }
}

function monitorNames(wanted: readonly string[] | undefined): MonitorName[] {
  if (wanted === undefined) return [...DEFAULT_MONITORS]
  return wanted.map((name) => {
    const known = MONITOR_NAMES.find((each) => each === name)
    if (known !== undefined) return known
    throw new InvalidInputError(`There is no monitor "${name}". Those that exist: ${MONITOR_NAMES.join(', ')}.`)
  })
}

/** @throws InvalidInputError for flags that only a server has a use for: silently ignored they would mislead */
function refuseServerOptions({ set, importConf }: AgentOptions): void {
  if (set.length === 0 && importConf === undefined) return
  throw new InvalidInputError(
    'An agent takes no --set and no --import-conf: its options stand in the file that --config names, ' +
      'which has the form of masakarimonitors.conf.',
  )
}

/** A wrong configuration is wrong usage, whoever finds it. Source: monitors.md DL-4. */
async function asUsage<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AgentConfigError) throw new InvalidInputError(error.message, { cause: error })
    throw error
  }
}

/** Flags win over the file. An endpoint that is named needs no catalogue, so no Keystone either. */
async function load(options: AgentOptions): Promise<{ options: MonitorOptions; warnings: readonly string[] }> {
  const { config, dataDir, endpoint, spoolDir, libvirtSocket, hostname } = options
  const { options: file, warnings } = config === undefined ? { options: {}, warnings: [] } : await readConf(config)
  const spool = spoolDir ?? (dataDir === undefined ? undefined : join(dataDir, 'spool'))
  const named = endpoint === undefined ? {} : { endpoint: v1(endpoint), authType: 'none' as const }
  const socket = libvirtSocket === undefined ? {} : { connectionUri: `qemu:///system?socket=${libvirtSocket}` }
  return {
    warnings,
    options: agentOptions({
      ...file,
      ...(hostname === undefined ? {} : { hostname }),
      ...(dataDir === undefined ? {} : { stateDir: dataDir }),
      api: { ...file.api, ...named },
      sender: { ...file.sender, ...(spool === undefined ? {} : { spoolDir: spool }) },
      libvirt: { ...file.libvirt, ...socket },
    }),
  }
}

/** @throws InvalidInputError when the endpoint is no address of a web server */
function v1(endpoint: string): string {
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new InvalidInputError(
      `The endpoint "${endpoint}" is no URL of a server. Write for example http://127.0.0.1:15868.`,
    )
  }
  const base = endpoint.replace(/\/+$/, '')
  return /\/v1(\/|$)/.test(base) ? base : `${base}/v1`
}

async function readConf(path: string): Promise<ImportedConf> {
  try {
    return importMonitorsConf(await readFile(path, 'utf8'), path)
  } catch (error) {
    throw new InvalidInputError(`The configuration ${path} cannot be used: ${errorMessage(error)}`, { cause: error })
  }
}
