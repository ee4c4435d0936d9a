import { fileURLToPath } from 'node:url'

import type { ServerSpec, StopPolicy } from '@mainstay/testkit'

import { errorCode, InvalidInputError } from '../core/errors.ts'
import { agentOptions } from '../monitors/index.ts'
import { loadConfig } from './config/load.ts'
import { startServer, type RunningServer } from './start-server.ts'

/** The program; its shim finds the right Node by itself. */
const PROGRAM = fileURLToPath(new URL('../../bin/mainstay.mjs', import.meta.url))

/** What a process does unless it is told. */
const EVERYTHING = ['api', 'engine', 'pool', 'events'] as const

/**
 * A server of ours that has to be forced, or ends with another code than 0, fails the test (testkit.md A5.3). The first
 * signal has longer than usual, because a part of the program may take 10 s to stop (`server.shutdown_grace_ms`);
 * all of it stays within what the clean-up of a cluster has for one server.
 */
const STRICT_STOP: StopPolicy = { strict: true, graceMs: 11_000, killAfterMs: 13_000, deadlineMs: 15_000 }

export interface ProgramOptions {
  /** Options of Node itself, before the program: `--import`, a module. Only for a process. */
  readonly nodeArguments?: readonly string[]
  /** More environment. Only for a process. */
  readonly env?: Readonly<Record<string, string>>
  /** Where it keeps its state. Default: below the cluster's folder, gone with it. */
  readonly dataDir?: string
}

export interface ServeSpecOptions extends ProgramOptions {
  /** The name within the cluster. */
  readonly name?: string
  /** What the process does; everything unless given. Not beside `configFile`. */
  readonly roles?: readonly ('api' | 'engine' | 'pool' | 'events')[]
  /** Options by section, as in mainstay.toml. Not beside `configFile`. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** A whole mainstay.toml in place of the one that is written from `roles` and `config`. */
  readonly configFile?: string
  /** `section.key=value`, above everything else. */
  readonly set?: readonly string[]
  /** Servers of the cluster that it uses: it is started after them and stopped before them. */
  readonly dependsOn?: readonly string[]
  /** A fixed port; default: any free one, and the same one after a restart where nobody has taken it meanwhile. */
  readonly port?: number
}

/**
 * `mainstay serve` for functional tests, as a process on an inherited socket or inside the test process, with any of its
 * roles. A stop that needs force, or an end with another code than 0, fails the test; who wants that writes
 * `server.stop({ strict: false })`.
 *
 *   await using cluster = await Cluster.create({ servers: [serveSpec()] })
 *   await cluster.startAll()
 */
export function serveSpec(options: ServeSpecOptions = {}): ServerSpec {
  const { name = 'mainstay', roles = EVERYTHING, config = {}, configFile, set = [], env = {}, dependsOn = [] } = options
  const sections = { ...config, server: { ...config['server'], roles } }
  return {
    name,
    command: ({ etc, dataDir }) => [
      ...program(options),
      'serve',
      '--config',
      configFile ?? `${etc}/mainstay.toml`,
      '--data-dir',
      options.dataDir ?? dataDir,
      ...set.flatMap((assignment) => ['--set', assignment]),
    ],
    env,
    inline: async ({ dataDir, port: before }) => {
      const written = configFile === undefined ? flat(sections) : {}
      const own = { 'server.data_dir': options.dataDir ?? dataDir, 'log.level': 'warn' }
      const file = configFile === undefined ? {} : { file: configFile }
      const start = async (port: number): Promise<RunningServer> => {
        const listen = { 'server.listen': `127.0.0.1:${port}` }
        return await startServer(
          await loadConfig({ ...file, set, overrides: unless(set, { ...listen, ...own, ...written }) }),
        )
      }
      const server = await start(options.port ?? before).catch(async (error: unknown) => {
        if (options.port !== undefined || !isTaken(error)) throw error
        return await start(0)
      })
      return { ports: { http: Number(new URL(server.url).port) }, close: async () => await server.stop() }
    },
    files: configFile === undefined ? [{ name: 'mainstay.toml', content: () => sections }] : [],
    listen: [{ name: 'http', handover: 'systemd', ...(options.port === undefined ? {} : { port: options.port }) }],
    dependsOn,
    ready: { http: configFile === undefined && !roles.includes('api') ? '/health/live' : '/healthcheck' },
    stop: STRICT_STOP,
    startTimeoutMs: 30_000,
  }
}

function program({ nodeArguments = [] }: ProgramOptions): string[] {
  return [process.execPath, ...nodeArguments, PROGRAM]
}

/** Whether somebody else has the port. */
function isTaken(error: unknown): boolean {
  return error instanceof InvalidInputError && errorCode(error.cause) === 'EADDRINUSE'
}

/** Options by their full names. */
function flat(sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(sections).flatMap(([section, options]) =>
      Object.entries(options).map(([option, value]) => [`${section}.${option}`, value]),
    ),
  )
}

/** Without the options that are set by an assignment. */
function unless(set: readonly string[], options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(options).filter(
    ([name]) => !set.some((assignment) => assignment.startsWith(`${name}=`)),
  )
  return Object.fromEntries(entries)
}

export interface AgentSpecOptions extends ProgramOptions {
  readonly name?: string
  /** Where the API is; a name of the cluster's servers is looked up. */
  readonly endpoint: string | { readonly server: string }
  /** The read-only socket of the libvirtd that is watched. */
  readonly libvirtSocket: string
  /** The host's name in its segment. */
  readonly hostname?: string
  /** More of masakarimonitors.conf, by section. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/**
 * `mainstay agent` with the instance monitor, for functional tests. It is ready when it is healthy, which it also is
 * while libvirtd is away (monitors.md IM-3).
 *
 * It runs as a process only: an agent belongs to a host and not to a service, it takes the signals of its process
 * (SIGHUP), and a test that needs its monitors alone starts them with `startAgent`. Its stop is as strict as that of
 * {@link serveSpec}.
 */
export function agentSpec(options: AgentSpecOptions): ServerSpec {
  const { name = 'agent', endpoint, libvirtSocket, hostname = agentOptions().hostname, config = {}, env = {} } = options
  return {
    name,
    command: ({ dataDir, etc, deps }) => [
      ...program(options),
      'agent',
      '--monitors',
      'instance',
      '--config',
      `${etc}/agent.conf`,
      '--data-dir',
      options.dataDir ?? dataDir,
      '--endpoint',
      typeof endpoint === 'string' ? endpoint : deps[endpoint.server]!.url,
      '--libvirt-socket',
      libvirtSocket,
      '--hostname',
      hostname,
    ],
    env,
    files: [
      {
        name: 'agent.conf',
        content: ({ ports }) => ({
          ...config,
          metrics: { ...config['metrics'], listen: `127.0.0.1:${ports['health']}` },
        }),
      },
    ],
    listen: [{ name: 'health', handover: 'none' }],
    ready: { http: '/healthz' },
    stop: STRICT_STOP,
    startTimeoutMs: 30_000,
    ...(typeof endpoint === 'string' ? {} : { dependsOn: [endpoint.server] }),
  }
}
