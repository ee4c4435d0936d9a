import type { KnownSecrets } from './config/known-secrets.ts'
import type { ProvisionedDatabase } from './database/database-spec.ts'
import type { ReaperClient } from './reaper/reaper-client.ts'
import type { DependencyAddress, ServerContext } from './spec.ts'

/** What a managed server needs of the cluster that it belongs to. */
export interface ServerHost {
  readonly dir: string
  readonly runId: string
  readonly marker: string
  readonly reaper: ReaperClient
  readonly secrets: KnownSecrets
  readonly strictStop: boolean
  readonly allowUnknown: boolean
  readonly mode: 'process' | 'inline' | undefined
  /** Cluster-wide overrides that this server understands. */
  overridesFor(server: string): object
  /** Where a dependency is reached by this server. */
  addressOf(dependency: string, from: string): DependencyAddress
  /** The server's database, made once per cluster; undefined when it has none. */
  database(
    server: string,
    context: ServerContext<object>,
    override: string | undefined,
  ): Promise<ProvisionedDatabase | undefined>
  /** Throws when the cluster accepts no more starts. */
  assertOpen(): void
  /** Something the person should know although nothing failed. */
  warn(text: string): void
}
