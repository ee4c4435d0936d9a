import { fileURLToPath } from 'node:url'

import type { ServerSpec } from '@mainstay/testkit'

import { agentOptions } from '../monitors/index.ts'
import { loadConfig } from './config/load.ts'
import { startServer } from './start-server.ts'

/** The program; its shim finds the right Node by itself. */
const PROGRAM = fileURLToPath(new URL('../../bin/mainstay.mjs', import.meta.url))

/** What a process does unless it is told. */
const EVERYTHING = ['api', 'engine', 'pool', 'events'] as const

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
  /** A fixed port; default: any free one. */
  readonly port?: number
}

/**
 * `mainstay serve` for functional tests, as a process on an inherited socket or inside the test process.
 *
 *   await using cluster = await Cluster.create({ servers: [serveSpec()] })
 *   await cluster.startAll()
 */
export function serveSpec(options: ServeSpecOptions = {}): ServerSpec {
  const { name = 'mainstay', roles = EVERYTHING, config = {}, configFile, set = [], env = {} } = options
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
    inline: async ({ dataDir }) => {
      const written = configFile === undefined ? flat(sections) : {}
      const own = { 'server.listen': '127.0.0.1:0', 'server.data_dir': options.dataDir ?? dataDir, 'log.level': 'warn' }
      const file = configFile === undefined ? {} : { file: configFile }
      const server = await startServer(
        await loadConfig({ ...file, set, overrides: unless(set, { ...own, ...written }) }),
      )
      return { ports: { http: Number(new URL(server.url).port) }, close: async () => await server.stop() }
    },
    files: configFile === undefined ? [{ name: 'mainstay.toml', content: () => sections }] : [],
    listen: [{ name: 'http', handover: 'systemd', ...(options.port === undefined ? {} : { port: options.port }) }],
    ready: { http: configFile === undefined && !roles.includes('api') ? '/health/live' : '/healthcheck' },
    startTimeoutMs: 30_000,
  }
}

function program({ nodeArguments = [] }: ProgramOptions): string[] {
  return [process.execPath, ...nodeArguments, PROGRAM]
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
    startTimeoutMs: 30_000,
    ...(typeof endpoint === 'string' ? {} : { dependsOn: [endpoint.server] }),
  }
}
