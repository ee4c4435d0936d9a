import type { HealthCheck } from './check/index.ts'

/** How the machines of one group are made and looked at: what only the processes need to know that do it. */
export interface GroupSetup {
  readonly group: string
  /** Names of the providers that may make them. */
  readonly providers: readonly string[]
  /** What the providers are told of them: image, flavor, template. */
  readonly profile: Readonly<Record<string, string>>
  readonly check: HealthCheck
  /** The longest that one check may take, in milliseconds. */
  readonly checkTimeoutMs: number
  /** Whether a machine is checked once more when it is handed over. */
  readonly checkOnAcquire: boolean
}

/** The setups by group. Replaced as a whole when the configuration is read again. */
export interface PoolSetup {
  readonly groups: ReadonlyMap<string, GroupSetup>
}
