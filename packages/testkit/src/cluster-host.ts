import type { Cluster } from './cluster.ts'
import { checkSharedKeys, pickKnown } from './cluster-overrides.ts'
import type { KnownSecrets } from './config/known-secrets.ts'
import type { ClusterDatabases } from './database/cluster-databases.ts'
import { TestkitError } from './errors.ts'
import type { ProxyBoard } from './faults/proxy-board.ts'
import type { ReaperClient } from './reaper/reaper-client.ts'
import type { ServerHost } from './server-host.ts'
import type { ManagedServer } from './server.ts'
import type { DependencyAddress } from './spec.ts'

interface HostParts {
  readonly reaper: ReaperClient
  readonly secrets: KnownSecrets
  readonly databases: ClusterDatabases
  readonly proxies: ProxyBoard
}

/** What the servers of a cluster see of it. */
export function serverHost(cluster: Cluster, { reaper, secrets, databases, proxies }: HostParts): ServerHost {
  const { dir, runId, marker, options } = cluster
  return {
    dir,
    runId,
    marker,
    reaper,
    secrets,
    strictStop: options.strictStop ?? false,
    allowUnknown: options.allowUnknown ?? false,
    mode: options.mode ?? modeFromEnvironment(),
    overridesFor: (name) => pickKnown(cluster.get(name), options.overrides ?? {}),
    addressOf: (dependency, from) => addressOf(cluster.get(dependency), from, proxies),
    database: async (name, context, override) => {
      const server = cluster.get(name)
      const { database } = server.spec
      const owner = database !== undefined && 'shareWith' in database ? cluster.get(database.shareWith) : server
      return await databases.of(owner, owner === server ? context : owner.context(), override)
    },
    assertOpen: () => {
      cluster.assertOpen('starts')
      // Not when the cluster is made: servers are also added later.
      if (options.allowUnknown !== true) checkSharedKeys(cluster.servers, options.overrides ?? {})
    },
    warn: (text) => {
      cluster.warnings.push(text)
    },
  }
}

/** Where a dependant reaches a server: itself, or the proxy that was put between the two. */
function addressOf(server: ManagedServer, from: string, proxies: ProxyBoard): DependencyAddress {
  const ports = Object.fromEntries(
    Object.entries(server.ports).map(([listen, port]) => [
      listen,
      proxies.portFor({ server: server.name, listen, from }) ?? port,
    ]),
  )
  const first = server.spec.listen?.find((spec) => spec.host !== 'unix')
  const port = first === undefined ? 0 : (ports[first.name] ?? 0)
  const proxied = first !== undefined && port !== server.ports[first.name]
  const host = proxied ? '127.0.0.1' : server.host
  const url = port === 0 ? '' : `http://${host === '::1' ? '[::1]' : host}:${port}`
  return { host, port, ports, dir: server.dir, url }
}

function modeFromEnvironment(): 'process' | 'inline' | undefined {
  const mode = process.env['MAINSTAY_TESTKIT_MODE']
  if (mode === undefined || mode === '') return undefined
  if (mode === 'process' || mode === 'inline') return mode
  throw new TestkitError('TK_BAD_SPEC', `MAINSTAY_TESTKIT_MODE=${mode} is neither "process" nor "inline"`)
}
